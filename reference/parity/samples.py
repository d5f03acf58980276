"""Conversations as tokens, labels and patches, from a seed."""

import numpy as np
import torch
import torch.nn.functional as F

from checkpoint import special
from seeded import around, integers

PATCH_LENGTH = 3 * 2 * 14 * 14


def build(case, index, conversation):
    """One sample: ids, label spans [start, end) and grids. An image run stands between its two vision tokens."""
    vocab = case["config"]["text_config"]["vocab_size"]
    draws = integers(case["seed"], "ids", index, size=400, low=0, high=vocab - 16).tolist()
    ids, spans, grids = [special(vocab, "im_start")], [], []
    for piece in conversation:
        if isinstance(piece, int):
            ids += [draws.pop() for _ in range(piece)]
        elif piece[0] == "answer":
            count = piece[1]
            spans.append([len(ids), len(ids) + count])
            # The turn's end: its token, and the newline, which is an ordinary token.
            ids += [draws.pop() for _ in range(count - 2)] + [special(vocab, "im_end"), 7]
        else:
            grids.append(list(piece))
            run = piece[0] * piece[1] * piece[2] // 4
            ids += [special(vocab, "vision_start")] + [special(vocab, "image")] * run + [special(vocab, "vision_end")]
    return {"ids": ids, "spans": spans, "grids": grids}


def labels_of(sample):
    labels = [-100] * len(sample["ids"])
    for start, end in sample["spans"]:
        labels[start:end] = sample["ids"][start:end]
    return labels


def patches(case, index, sample):
    """[P, patchLength] f32 over all images of the sample, uniform on [-2, 2)."""
    parts = [
        around(case["seed"], "patches", index, image, size=int(np.prod(grid)) * PATCH_LENGTH, amplitude=2.0)
        for image, grid in enumerate(sample["grids"])
    ]
    return np.concatenate(parts).reshape(-1, PATCH_LENGTH) if parts else None


def inputs(case, index, sample):
    """What the model and the Trainer's dataset take: tensors of a batch of one."""
    ids = torch.tensor([sample["ids"]])
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.tensor([labels_of(sample)]),
        "mm_token_type_ids": (ids == case["config"]["image_token_id"]).int(),
    }
    if sample["grids"]:
        batch["pixel_values"] = torch.from_numpy(patches(case, index, sample))
        batch["image_grid_thw"] = torch.tensor(sample["grids"])
    return batch


def label_losses(logits, labels):
    """Rows t-1 of every label t, and their cross-entropies in f32. logits [1, T, V], labels [1, T]."""
    rows = torch.nonzero(labels[0, 1:] != -100)[:, 0]
    picked = logits[0, rows].float()
    return rows, picked, F.cross_entropy(picked, labels[0, rows + 1], reduction="none")
