"""Forward and gradient cases: logits, per-token losses and gradients of tiny random Qwen2-VL models.

    python reference/parity/forward.py [case ...]

writes test/fixtures/parity/<case>.json.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from transformers import logging

import adapter
import checkpoint
import samples as building
from cases import FORWARD
from seeded import FIXTURES, encode

OTHER = {"eager": "sdpa", "sdpa": "eager"}


def trained(model, case):
    """The wrapped model and its trained tensors by name."""
    if case["lora"] is not None:
        wrapped = adapter.attach(model, case)
        return wrapped, adapter.tensors(wrapped)
    return model, dict(model.named_parameters())


def run(case, attention):
    """All samples one by one; gradients of the sum of all label losses."""
    with tempfile.TemporaryDirectory() as folder:
        tensors = checkpoint.write(Path(folder), case)
        model = checkpoint.load(folder, tensors, attention)
    wrapped, parameters = trained(model, case)
    wrapped.train()
    out = []
    for index, conversation in enumerate(case["conversations"]):
        sample = building.build(case, index, conversation)
        batch = building.inputs(case, index, sample)
        labels = batch.pop("labels")
        if sample["grids"]:
            with torch.no_grad():
                vision = model.model.get_image_features(batch["pixel_values"], batch["image_grid_thw"])
            sample["imageFeatures"] = encode(torch.cat(list(vision.pooler_output)).numpy())
        positions, delta = model.model.get_rope_index(
            batch["input_ids"], batch["mm_token_type_ids"], batch.get("image_grid_thw")
        )
        rows, logits, losses = building.label_losses(wrapped(**batch).logits, labels)
        losses.sum().backward()
        sample |= {
            "positions": positions[:, 0].tolist(),
            "positionDelta": int(delta),
            "rows": rows.tolist(),
            "logits": encode(logits.detach().numpy()),
            "losses": encode(losses.detach().numpy()),
        }
        out.append((sample, logits.detach(), losses.detach()))
    gradients = {name: p.grad.clone() for name, p in parameters.items()}
    return tensors, out, gradients


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


def noise(one, other):
    """How far two ways to compute attention in f32 lie apart: no test can ask for less than this."""
    logits = max(((a[1] - b[1]).abs().max() / b[1].abs().max()).item() for a, b in zip(one[1], other[1]))
    losses = max(((a[2] - b[2]).abs().max() / b[2].abs().max()).item() for a, b in zip(one[1], other[1]))
    worst = max((relative(one[2][k], other[2][k]), k) for k in one[2])
    return {"logits": logits, "losses": losses, "gradient": worst[0], "gradientTensor": worst[1]}


def make(case):
    result = run(case, case["attention"])
    tensors, outputs, gradients = result
    fixture = {k: case[k] for k in ("name", "seed", "attention", "checkpoint", "config")}
    if case["lora"] is not None:
        fixture["lora"] = {
            **case["lora"], "scale": adapter.scale(case["lora"]), "modules": adapter.modules(gradients)
        }
    else:
        fixture["lora"] = None
    fixture["weightsSha256"] = checkpoint.digest(tensors)
    fixture["noise"] = noise(result, run(case, OTHER[case["attention"]]))
    fixture["samples"] = [sample for sample, _, _ in outputs]
    fixture["gradients"] = {name: encode(g.numpy()) for name, g in gradients.items()}
    text = json.dumps(fixture) + "\n"
    (FIXTURES / f"{case['name']}.json").write_text(text)
    norms = sorted(g.norm().item() for g in gradients.values())
    mean = torch.cat([o[2] for o in outputs]).mean().item()
    print(f"{case['name']}: {len(text) // 1024} KB, loss {mean:.3f}, gradient norms {norms[0]:.2g} to {norms[-1]:.2g},"
          f" modules {len(fixture['lora']['modules']) if fixture['lora'] else '-'}, noise {fixture['noise']}")


def main():
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(0)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for case in FORWARD:
        if not sys.argv[1:] or case["name"] in sys.argv[1:]:
            make(case)


if __name__ == "__main__":
    main()
