"""Peer of bench/head.ts: cross-entropy of label rows and its gradient as plain PyTorch has them, in f32.

`prepare` makes the rows and lets go of everything else; `step` computes. Reads options as JSON, prints `ready`, then answers
each line of JSON with a line of seconds.
"""

import gc
import json
import sys
import time

import torch

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
torch.manual_seed(0)
weight = torch.randn(options["words"], options["width"]) * 0.02
inputs = {}


def prepare(rows):
    inputs.clear()
    gc.collect()
    inputs["hidden"] = torch.randn(rows, options["width"], requires_grad=True)
    inputs["labels"] = torch.randint(0, options["words"], (rows,))
    return 0


def step():
    hidden, labels = inputs["hidden"], inputs["labels"]
    hidden.grad = None
    start = time.perf_counter()
    torch.nn.functional.cross_entropy(hidden @ weight.T, labels, reduction="sum").backward()
    return time.perf_counter() - start


print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(prepare(request["rows"]) if request["do"] == "prepare" else step(), flush=True)
