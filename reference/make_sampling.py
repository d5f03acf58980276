"""Which tokens transformers' warpers leave to be drawn, and with what probability.

    python reference/make_sampling.py

writes test/fixtures/generate/sampling.json: logits, and for each setting the ids that stay and their probabilities after
temperature, top-k and top-p in the order of `generate`.
"""

import json
from pathlib import Path

import torch
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

OUT = Path(__file__).resolve().parents[1] / "test" / "fixtures" / "generate"

torch.manual_seed(5)
LOGITS = {
    "random": (torch.randn(64) * 3).tolist(),
    "flat": [0.0] * 7 + [-1.0],
    "ties": [2.0, 1.0, 1.0, 1.0, 0.0, -1.0, 2.0, 0.5],
    "peaked": [40.0, 1.0, 2.0, 3.0],
    "forbidden": [1.0, float("-inf"), 0.5, float("-inf"), 0.25],
}
SETTINGS = [
    {"temperature": 1.0},
    {"temperature": 0.25},
    {"temperature": 3.0},
    {"temperature": 1.0, "topK": 1},
    {"temperature": 1.0, "topK": 3},
    {"temperature": 1.0, "topK": 1000},
    {"temperature": 1.0, "topP": 0.5},
    {"temperature": 1.0, "topP": 0.9},
    {"temperature": 1.0, "topP": 0.01},
    {"temperature": 1.0, "topP": 1.0},
    {"temperature": 0.7, "topK": 5, "topP": 0.8},
    {"temperature": 2.0, "topK": 4, "topP": 0.6},
]


def kept(logits, temperature, topK=None, topP=None):
    scores = torch.tensor([logits])
    if temperature != 1.0:
        scores = TemperatureLogitsWarper(temperature)(None, scores)
    if topK is not None:
        scores = TopKLogitsWarper(topK)(None, scores)
    if topP is not None and topP < 1.0:
        scores = TopPLogitsWarper(topP)(None, scores)
    probabilities = scores[0].double().softmax(-1)
    ids = torch.nonzero(scores[0] > float("-inf"))[:, 0].tolist()
    return {"ids": ids, "probabilities": probabilities[ids].tolist()}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    cases = [
        {"logits": name, "settings": settings, **kept(logits, **settings)}
        for name, logits in LOGITS.items() for settings in SETTINGS
    ]
    stored = {name: [None if x == float("-inf") else x for x in logits] for name, logits in LOGITS.items()}
    (OUT / "sampling.json").write_text(json.dumps({"logits": stored, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
