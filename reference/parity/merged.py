"""What PEFT makes of base + adapter: merged weights in the stored dtype, and the logits of the two side by side.

    python reference/parity/merged.py [case ...]

writes test/fixtures/merged/<case>.json.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path

import torch
from transformers import Qwen2VLForConditionalGeneration, logging

import adapter
import checkpoint
import samples as building
from cases import PICTURE, SEVEN, SHORT, SQUARE, TINY, TOWER, case, lora, stored
from checkpoint import config_of
from seeded import FIXTURES

OUT = FIXTURES.parent / "merged"
SMALL = dict(TINY, layers=2, vision_depth=2)

CASES = [
    case(
        "f32-sharded-new", 301, [SQUARE, SHORT], config=config_of(**SMALL), checkpoint=stored("f32", 3, "new"),
        adapter=lora(SEVEN + TOWER, rank=3, alpha=8),
    ),
    case(
        "bf16-tied-old", 302, [PICTURE], config=config_of(**SMALL, tied=True), checkpoint=stored("bf16", 2, "old"),
        adapter=lora(SEVEN + TOWER, rank=4),
    ),
    case(
        "f16-rslora", 303, [SHORT], config=config_of(**SMALL), checkpoint=stored("f16", 1, "new"),
        adapter=lora(["q_proj", "down_proj", "merger.mlp.2"], rank=6, alpha=4, rslora=True),
    ),
]


def bits(tensor):
    """Elements as the file would hold them, little-endian."""
    flat = tensor.detach().contiguous()
    raw = flat.numpy() if flat.dtype == torch.float32 else flat.view(torch.int16).numpy()
    return {"shape": list(tensor.shape), "data": base64.b64encode(raw.tobytes()).decode()}


def merged_weights(folder, case):
    """merge_and_unload of a base in its stored dtype; PEFT keeps the adapter in f32."""
    dtype = checkpoint.DTYPES[case["checkpoint"]["dtype"]]
    model = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=dtype)
    wrapped = adapter.attach(model, case)
    names = adapter.modules(adapter.tensors(wrapped))
    state = wrapped.merge_and_unload().state_dict()
    assert all(state[f"{name}.weight"].dtype == dtype for name in names)
    return {f"{name}.weight": bits(state[f"{name}.weight"]) for name in names}


def logits_of(model, case):
    out = []
    for index, conversation in enumerate(case["conversations"]):
        sample = building.build(case, index, conversation)
        batch = building.inputs(case, index, sample)
        labels = batch.pop("labels")
        with torch.no_grad():
            rows, logits, _ = building.label_losses(model(**batch).logits, labels)
        out.append(sample | {"rows": rows.tolist(), "logits": bits(logits)})
    return out


def make(case):
    with tempfile.TemporaryDirectory() as folder:
        tensors = checkpoint.write(Path(folder), case)
        merged = merged_weights(folder, case)
        base = checkpoint.load(folder, tensors, case["attention"])
        plain = logits_of(base, case)
        wrapped = adapter.attach(base, case).eval()
        shapes = {key: list(t.shape) for key, t in adapter.tensors(wrapped).items()}
        samples = logits_of(wrapped, case)
    assert all(a["logits"] != b["logits"] for a, b in zip(plain, samples)), "the adapter does nothing"
    fixture = {k: case[k] for k in ("name", "seed", "checkpoint", "config")}
    fixture["lora"] = {**case["lora"], "scale": adapter.scale(case["lora"]), "modules": adapter.modules(shapes)}
    fixture["weightsSha256"] = checkpoint.digest(tensors)
    fixture |= {"adapter": shapes, "samples": samples, "merged": merged}
    text = json.dumps(fixture) + "\n"
    (OUT / f"{case['name']}.json").write_text(text)
    print(f"{case['name']}: {len(text) // 1024} KB, {len(merged)} weights")


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        if not sys.argv[1:] or case["name"] in sys.argv[1:]:
            make(case)


if __name__ == "__main__":
    main()
