"""Expected numbers for src/optim: torch's AdamW and clipping, transformers' schedules.

    python reference/parity/optimizer.py

writes test/fixtures/parity/optimizer.json.
"""

import json

import numpy as np
import torch
from transformers import get_scheduler

from seeded import FIXTURES, around, encode

SCHEDULES = [
    ("linear", 30, 5),
    ("linear", 30, 0),
    ("linear", 4, 4),
    ("cosine", 30, 5),
    ("cosine", 7, 0),
    ("constant_with_warmup", 12, 5),
    ("constant_with_warmup", 12, 0),
]


def schedule(kind, total, warmup, base=2e-3):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    rates = []
    for _ in range(total):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    name = kind.split("_")[0]
    return {"schedule": name, "base": base, "totalSteps": total, "warmupSteps": warmup, "rates": rates}


def draws(name, size, scale=1.0):
    return around("optimizer", name, size=size, amplitude=scale)


def adamw(dtype, clipped, decay=0.3, steps=12):
    """Two parameters, one without decay; gradients and rates from the seed; f32 and f64 trajectories."""
    sizes = {"a": 40, "b": 12}
    params = {k: torch.nn.Parameter(torch.tensor(draws(k, n), dtype=dtype)) for k, n in sizes.items()}
    groups = [{"params": [params["a"]], "weight_decay": decay}, {"params": [params["b"]], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), eps=1e-6, fused=False, foreach=False)
    norms = []
    for step in range(steps):
        for name, parameter in params.items():
            # Some elements never get a gradient and some get tiny ones, where eps decides.
            grad = draws(f"{name}.{step}", sizes[name], [1.0, 1e-6, 0.05][step % 3])
            grad[:3] = 0
            parameter.grad = torch.tensor(grad, dtype=dtype)
        if clipped:
            norms.append(torch.nn.utils.clip_grad_norm_(params.values(), 0.5).item())
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * (step + 1)
        optimizer.step()
    out = {name: encode(p.detach().double().numpy().astype(np.float32)) for name, p in params.items()}
    return {"norms": norms, "final": out}


def main():
    case = {
        "sizes": {"a": 40, "b": 12},
        "adamw": {
            f"{'f32' if d is torch.float32 else 'f64'}{'Clipped' if c else ''}": adamw(d, c)
            for d in (torch.float32, torch.float64)
            for c in (False, True)
        },
        "schedules": [schedule(*s) for s in SCHEDULES],
        "warmupRatios": [[r, t, warmup_steps(r, t)] for r, t in [(0.03, 30), (0.1, 30), (0.1, 7), (0.0, 9), (0.5, 5)]],
    }
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / "optimizer.json").write_text(json.dumps(case, indent=1) + "\n")


def warmup_steps(ratio, total):
    from transformers import TrainingArguments

    # A warmup_steps below 1 is transformers 5's spelling of a ratio.
    return TrainingArguments(output_dir="unused", use_cpu=True, warmup_steps=ratio).get_warmup_steps(total)


if __name__ == "__main__":
    main()
