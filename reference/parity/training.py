"""Training cases: 30 optimizer steps of the Hugging Face Trainer on tiny random Qwen2-VL models.

    python reference/parity/training.py [case ...]

writes test/fixtures/parity/<case>.json. Each case is run again with one rule of the Trainer switched off, and the
difference that makes is kept as `sensitivity`: a test at 1e-5 sees every one of them.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainingArguments, logging

import adapter
import checkpoint
import samples as building
from cases import TRAINING
from forward import OTHER, relative, trained
from seeded import FIXTURES, encode

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


class Recorder(Trainer):
    """The Trainer as it is, in the order of the rows, writing down what each step did."""

    def __init__(self, *args, divide_as_full=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.divide_as_full = divide_as_full
        self.steps = []
        self.sum, self.count, self.own = 0.0, 0, 0.0

    def _get_train_sampler(self, train_dataset=None):
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.divide_as_full:
            items = items * self.args.gradient_accumulation_steps / len(batches)
        return batches, items

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"]
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        losses = building.label_losses(outputs.logits.detach(), labels)[2]
        self.sum += losses.double().sum().item()
        self.count += len(losses)
        return (loss, outputs) if return_outputs else loss

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.own += loss.item()
        return loss

    def _get_grad_norm(self, model, grad_norm=None):
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        self.steps.append(
            {
                "loss": self.sum / self.count,
                "gradNorm": float(norm),
                "learningRate": self.optimizer.param_groups[0]["lr"],
                "labelTokens": self.count,
            }
        )
        if not self.divide_as_full and self.model_accepts_loss_kwargs:
            assert abs(self.own - self.sum / self.count) < 2e-6 * self.own, "the Trainer's own loss differs"
        self.sum, self.count, self.own = 0.0, 0, 0.0
        return norm


def run(case, words, *, attention=None, carried=False, dropped=False, divided=False, means=False):
    """One run; returns weights, steps, and the trained tensors before and after."""
    with tempfile.TemporaryDirectory() as folder:
        weights = checkpoint.write(Path(folder), case)
        model = checkpoint.load(folder, weights, attention or case["attention"])
    wrapped, parameters = trained(model, case)
    before = {name: p.detach().clone() for name, p in parameters.items()}
    tokens = [building.build(case, i, c) for i, c in enumerate(case["conversations"])]
    rows = [building.inputs(case, i, t) for i, t in enumerate(tokens)]
    epochs = words["epochs"]
    if dropped:
        rows = rows[: len(rows) // words["gradientAccumulation"] * words["gradientAccumulation"]]
    if carried:
        rows, epochs = rows * epochs, 1
    with tempfile.TemporaryDirectory() as output:
        trainer = Recorder(
            wrapped, arguments(output, words, epochs), train_dataset=rows, data_collator=lambda batch: batch[0],
            divide_as_full=divided,
        )
        assert trainer.model_accepts_loss_kwargs
        if means:
            trainer.model_accepts_loss_kwargs = False
        trainer.train()
    check_decay(trainer, parameters, words)
    after = {name: p.detach().clone() for name, p in parameters.items()}
    return weights, tokens, trainer.steps, before, after, final_losses(wrapped, rows[: len(tokens)])


def final_losses(model, rows):
    """[N] losses of each row once training has ended."""
    model.eval()
    with torch.no_grad():
        return [
            building.label_losses(model(**{k: v for k, v in row.items() if k != "labels"}).logits, row["labels"])[2]
            for row in rows
        ]


def arguments(output, words, epochs):
    return TrainingArguments(
        output_dir=output, use_cpu=True, seed=42, report_to=[], disable_tqdm=True, save_strategy="no",
        logging_strategy="no", remove_unused_columns=False, per_device_train_batch_size=1,
        num_train_epochs=epochs, gradient_accumulation_steps=words["gradientAccumulation"],
        learning_rate=words["learningRate"], weight_decay=words["weightDecay"],
        lr_scheduler_type=SCHEDULES[words["schedule"]], warmup_steps=words["warmupSteps"],
        max_grad_norm=words["maxGradNorm"],
    )


def check_decay(trainer, parameters, words):
    """Every LoRA tensor decays; of a full run, all but biases and norms."""
    decayed = {id(p) for g in trainer.optimizer.param_groups if g["weight_decay"] == words["weightDecay"] for p in g["params"]}
    for name, p in parameters.items():
        expected = "lora_" in name or p.dim() > 1
        assert words["weightDecay"] == 0 or (id(p) in decayed) == expected, name


def difference(one, other):
    """Largest loss difference over the largest loss; least and largest relative L2 of a trained tensor."""
    losses = [abs(a["loss"] - b["loss"]) for a, b in zip(one[2], other[2])]
    tensors = [relative(other[4][name], after) for name, after in one[4].items()]
    moved = [((other[4][n] - a).norm() / (a - one[3][n]).norm()).item() for n, a in one[4].items()]
    return {
        "loss": max(losses) / max(s["loss"] for s in one[2]),
        "leastTensor": min(tensors),
        "worstTensor": max(tensors),
        "worstOverMovement": max(moved),
    }


def sensitivity(case, words, result):
    """What each rule is worth: the same run without it."""
    others = {
        "decayOff": run(case, {**words, "weightDecay": 0.0}),
        "clippingOff": run(case, {**words, "maxGradNorm": 0.0}),
        "warmupOff": run(case, {**words, "warmupSteps": 0}),
        "remainderCarried": run(case, words, carried=True),
        "remainderDividedAsFull": run(case, words, divided=True),
        "meanOfMeans": run(case, words, means=True),
    }
    if len(case["conversations"]) > words["gradientAccumulation"]:
        others["remainderDropped"] = run(case, words, dropped=True)
    return {name: difference(result, other) for name, other in others.items()}


def make(case, words):
    result = run(case, words)
    weights, tokens, steps, before, after, losses = result
    rows, accumulation = len(tokens), words["gradientAccumulation"]
    chunks = [list(range(i, min(i + accumulation, rows))) for i in range(0, rows, accumulation)] * words["epochs"]
    assert len(chunks) == len(steps) == 30
    lora = case["lora"]
    fixture = {
        **{k: case[k] for k in ("name", "seed", "attention", "checkpoint", "config")},
        "lora": lora and {**lora, "scale": adapter.scale(lora), "modules": adapter.modules(after)},
        "weightsSha256": checkpoint.digest(weights),
        "training": words,
        "noise": difference(result, run(case, words, attention=OTHER[case["attention"]])),
        "sensitivity": sensitivity(case, words, result),
        "samples": tokens,
        "steps": [{"step": i + 1, **step, "rows": chunk} for i, (step, chunk) in enumerate(zip(steps, chunks))],
        "final": {name: encode(tensor.numpy()) for name, tensor in after.items()},
        "finalLosses": [encode(row.numpy()) for row in losses],
    }
    text = json.dumps(fixture) + "\n"
    (FIXTURES / f"{case['name']}.json").write_text(text)
    report(fixture, len(text), before, after)


def report(fixture, size, before, after):
    norms = [s["gradNorm"] for s in fixture["steps"]]
    limit = fixture["training"]["maxGradNorm"]
    moved = [relative(after[n], before[n]) for n in after if before[n].norm() > 0]
    losses = " ".join(f"{s['loss']:.2f}" for s in fixture["steps"])
    print(f"{fixture['name']}: {size // 1024} KB, loss {losses}")
    print(f"  norms {min(norms):.2g} to {max(norms):.2g}, clipped at {sum(n > limit for n in norms)} steps,"
          f" moved {min(moved):.2g} to {max(moved):.2g} of their size")
    for name, figures in [("noise", fixture["noise"]), *fixture["sensitivity"].items()]:
        print(f"  {name}: " + ", ".join(f"{k} {v:.1e}" for k, v in figures.items()))


def main():
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for case, words in TRAINING:
        if not sys.argv[1:] or case["name"] in sys.argv[1:]:
            make(case, words)


if __name__ == "__main__":
    main()
