"""Holds a folder that `lorikeet merge` wrote against PEFT: the same logits, and weights within one rounding.

    python reference/check_merged.py MODEL ADAPTER MERGED

Text rows only: every weight of the decoder takes part, and no processor is needed. The tower is held by its weights.
"""

import sys

import torch
from peft import PeftModel
from transformers import Qwen2VLForConditionalGeneration, logging


def load(folder, dtype=torch.float32):
    model, info = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return model.eval()


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits


def main():
    base_folder, adapter_folder, merged_folder = sys.argv[1:]
    logging.set_verbosity_error()
    ids = torch.randint(0, 200, (2, 24), generator=torch.Generator().manual_seed(1))
    both = PeftModel.from_pretrained(load(base_folder), adapter_folder).eval()
    merged = load(merged_folder)
    expected, found = logits(both, ids), logits(merged, ids)
    with both.disable_adapter():
        base = logits(both, ids)
    print(f"logits: largest difference {(found - expected).abs().max():.2e}, the adapter moves them by {(base - expected).abs().max():.2e}")
    weights = both.merge_and_unload().state_dict()
    state = merged.state_dict()
    assert weights.keys() == state.keys()
    worst = max(((state[n] - w).norm() / w.norm()).item() for n, w in weights.items())
    print(f"weights: largest relative difference {worst:.2e} over {len(weights)} tensors")


if __name__ == "__main__":
    main()
