"""Whole runs of the command: the Hugging Face Trainer on real pictures, from rows to adapter.

    python reference/parity/end_to_end.py [--data ../shared/data/vqa-rad] [--tokenizer ../shared/models/qwen2-vl]

writes test/fixtures/end-to-end/<case>.json. Pixels come from transformers' PIL image processor, ids from its tokenizer
and labels from the structure of the conversation (make_conversations.py); weights and the first adapter from a seed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoTokenizer, logging
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import adapter
import checkpoint
import samples
import training
from cases import SEVEN, case, lora, stored, training as words_of
from seeded import encode

REFERENCE = Path(__file__).resolve().parents[1]
OUT = REFERENCE.parent / "test" / "fixtures" / "end-to-end"
SHARED = REFERENCE.parent.parent / "shared"
sys.path.insert(0, str(REFERENCE))
from make_conversations import IMAGE, Reference, is_natural, text  # noqa: E402

SPECIAL = {"image": 151655, "video": 151656, "vision_start": 151652, "vision_end": 151653}
MAX_PIXELS = 112 * 112


def config(**words):
    """A very small model with the vocabulary of the real tokenizer."""
    found = checkpoint.config_of(
        hidden=32, heads=2, intermediate=48, vocab=151936, vision_embed=16, vision_depth=1, **words
    )
    found |= {f"{name}_token_id": id for name, id in SPECIAL.items()}
    found["text_config"] |= {"bos_token_id": 151643, "eos_token_id": 151645}
    return found


def turns_of(*pairs):
    """Turns by role; in a user's, ("image", file) is a picture."""
    return [{"role": role, "content": list(parts)} for role, parts in pairs]


def picture(number):
    return ("image", f"images/synpic{number}.jpg")


MESSAGES = [
    turns_of(
        ("system", ["Answer in one word. Réponds vite."]),
        ("user", [picture(29265), "First this,", picture(54610), "\nthen that: which shows lungs?"]),
        ("assistant", ["The first."]),
        ("user", ["And which of them shows <|im_end|>\n<|im_start|>assistant\na brain?"]),
        ("assistant", ["The second; not <|vision_start|><|image_pad|><|vision_end|> at all."]),
    ),
    turns_of(("user", ["What is an X-ray? 日本語でも 😀"]), ("assistant", ["A picture made with light that passes flesh. 骨 🦴"])),
    turns_of(
        ("user", [picture(28602), "  Is it dark?\n"]),
        ("assistant", [" Yes.\n\nMostly. "]),
        ("user", [picture(42202), picture(29265), "<image> Same person?"]),
        ("assistant", ["no"]),
    ),
    turns_of(("user", ["Describe: ", picture(54610)]), ("assistant", ["An axial slice of a head, " * 4])),
    turns_of(("user", [picture(42202), "Café or Cafe\u0301?"]), ("assistant", ["Cafe\u0301"])),
]


def flat(lines, numbers):
    """Rows of VQA-RAD as turns: the picture, then the question, nothing between."""
    rows = [json.loads(lines[number]) for number in numbers]
    return [
        turns_of(("user", [("image", row["image"]), row["question"]]), ("assistant", [row["answer"]])) for row in rows
    ]


def hugging_face(turns):
    """A row with `messages` and `images`."""
    content = [
        [{"type": "image"} if isinstance(part, tuple) else {"type": "text", "text": part} for part in turn["content"]]
        for turn in turns
    ]
    return {
        "messages": [{"role": turn["role"], "content": parts} for turn, parts in zip(turns, content)],
        "images": [part[1] for turn in turns for part in turn["content"] if isinstance(part, tuple)],
    }


class Processor:
    """Turns to what the model takes."""

    def __init__(self, data, tokenizer):
        self.data = data
        self.reference = Reference(AutoTokenizer.from_pretrained(tokenizer))
        self.images = Qwen2VLImageProcessorPil.from_pretrained(tokenizer, max_pixels=MAX_PIXELS)

    def batch(self, turns):
        files = [part[1] for turn in turns for part in turn["content"] if isinstance(part, tuple)]
        pixels = self.images([Image.open(self.data / file) for file in files], return_tensors="pt") if files else {}
        counts = [int(grid.prod()) // 4 for grid in pixels.get("image_grid_thw", [])]
        plain = [
            {"role": turn["role"], "content": [IMAGE if isinstance(part, tuple) else text(part) for part in turn["content"]]}
            for turn in turns
        ]
        ids, spans = self.reference.encode(plain, counts)
        assert not is_natural(plain) or ids == self.reference.whole(plain, counts)
        ids_tensor = torch.tensor([ids])
        return {
            "input_ids": ids_tensor,
            "attention_mask": torch.ones_like(ids_tensor),
            "labels": torch.tensor([samples.labels_of({"ids": ids, "spans": spans})]),
            "mm_token_type_ids": (ids_tensor == SPECIAL["image"]).int(),
            **pixels,
        }, spans


def train(model, batches, words):
    with tempfile.TemporaryDirectory() as output:
        trainer = training.Recorder(
            model, training.arguments(output, words, words["epochs"]), train_dataset=batches,
            data_collator=lambda batch: batch[0],
        )
        trainer.train()
    return trainer.steps


def evaluate(model, encoded):
    """Means over all label tokens of the rows, and the share of answers that are right to their <|im_end|>."""
    model.eval()
    losses, hits, answers, exact = [], [], [], []
    with torch.no_grad():
        for batch, spans in encoded:
            logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits
            _, picked, each = samples.label_losses(logits, batch["labels"])
            right = picked.argmax(-1) == batch["input_ids"][0][batch["labels"][0] != -100]
            losses.append(each)
            hits.append(right)
            start = 0
            for length in (end - start for start, end in spans):
                # The turn's end is <|im_end|> and a newline.
                answers.append(each[start : start + length - 2])
                exact.append(right[start : start + length - 1].all())
                start += length
    losses, hits, answers = (torch.cat(parts).double() for parts in (losses, hits, answers))
    return {
        "loss": losses.mean().item(),
        "tokens": len(losses),
        "tokenAccuracy": hits.mean().item(),
        "exactMatch": torch.stack(exact).double().mean().item(),
        "answerLoss": answers.mean().item(),
    }


def make(made, words, rows, turns, processor):
    encoded = [processor.batch(each) for each in turns["train"]]
    with tempfile.TemporaryDirectory() as folder:
        weights = checkpoint.write(Path(folder), made)
        model = adapter.attach(checkpoint.load(folder, weights, made["attention"]), made)
    parameters = adapter.tensors(model)
    before = {name: p.detach().clone() for name, p in parameters.items()}
    steps = train(model, [batch for batch, _ in encoded], words)
    after = {name: p.detach().clone() for name, p in parameters.items()}
    fixture = {
        **{key: made[key] for key in ("name", "seed", "attention", "checkpoint", "config")},
        "lora": {**made["lora"], "scale": adapter.scale(made["lora"]), "modules": adapter.modules(after)},
        "weightsSha256": checkpoint.digest(weights),
        "maxPixels": MAX_PIXELS,
        "rows": rows,
        "training": words,
        "steps": [{"step": i + 1, **step} for i, step in enumerate(steps)],
        "final": {name: encode(tensor.numpy()) for name, tensor in after.items()},
        "evaluation": evaluate(model, [processor.batch(each) for each in turns["validation"]]),
    }
    written = json.dumps(fixture) + "\n"
    (OUT / f"{made['name']}.json").write_text(written)
    moved = [((after[name] - tensor).norm() / tensor.norm()).item() for name, tensor in before.items()]
    print(f"{made['name']}: {len(written) // 1024} KB, tokens {[batch['input_ids'].shape[1] for batch, _ in encoded]},"
          f" loss {' '.join(format(step['loss'], '.2f') for step in steps)}, moved {min(moved):.2g} to {max(moved):.2g},"
          f" {fixture['evaluation']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "vqa-rad")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "models" / "qwen2-vl")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    processor = Processor(arguments.data, arguments.tokenizer)

    lines = (arguments.data / "train.jsonl").read_text().splitlines()
    numbers = {"train": list(range(40, 50)), "validation": [40, 45, 900, 901]}
    make(
        case("flat", 301, [], config=config(kv=1, tied=True), adapter=lora(rank=2, alpha=4)),
        words_of(warmup=2, epochs=6, learning_rate=3e-2),
        numbers,
        {split: flat(lines, chosen) for split, chosen in numbers.items()},
        processor,
    )
    make(
        case(
            "messages", 302, [], config=config(kv=2), checkpoint=stored("bf16", 2, "old"),
            adapter=lora([*SEVEN, "qkv", "fc2", "merger.mlp.0"], rank=2, alpha=3, rslora=True),
        ),
        words_of(warmup=2, epochs=6, learning_rate=1e-2, weight_decay=0.3),
        {"train": [hugging_face(turns) for turns in MESSAGES], "validation": [hugging_face(turns) for turns in MESSAGES[:3]]},
        {"train": MESSAGES, "validation": MESSAGES[:3]},
        processor,
    )


if __name__ == "__main__":
    main()
