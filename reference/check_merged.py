"""Holds a folder that `lorikeet merge` wrote against PEFT: the same logits, and weights within one rounding.

    python reference/check_merged.py MODEL ADAPTER MERGED

One row with a picture of random patches: every weight takes part, and no processor is needed.
"""

import sys

import torch
from peft import PeftModel
from transformers import Qwen2VLForConditionalGeneration, logging


def load(folder, dtype=torch.float32):
    model, info = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return model.eval()


def row(config):
    """Some words, a picture of 4 x 6 patches, some words."""
    random = torch.Generator().manual_seed(1)
    vision, vocabulary = config.vision_config, config.text_config.vocab_size
    words = torch.randint(0, vocabulary - 16, (2, 12), generator=random).tolist()
    picture = [config.vision_start_token_id] + [config.image_token_id] * 6 + [config.vision_end_token_id]
    ids = torch.tensor([words[0] + picture + words[1]])
    patch = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == config.image_token_id).int(),
        "pixel_values": torch.randn((24, patch), generator=random),
        "image_grid_thw": torch.tensor([[1, 4, 6]]),
    }


def logits(model, batch):
    with torch.no_grad():
        return model(**batch).logits


def main():
    base_folder, adapter_folder, merged_folder = sys.argv[1:]
    logging.set_verbosity_error()
    both = PeftModel.from_pretrained(load(base_folder), adapter_folder).eval()
    merged = load(merged_folder)
    batch = row(merged.config)
    expected, found = logits(both, batch), logits(merged, batch)
    with both.disable_adapter():
        base = logits(both, batch)
    apart, moved = (found - expected).abs().max(), (base - expected).abs().max()
    print(f"logits: largest difference {apart:.2e} where the adapter moves them by {moved:.2e}")
    weights = both.merge_and_unload().state_dict()
    state = merged.state_dict()
    assert weights.keys() == state.keys()
    worst = max(((state[n] - w).norm() / w.norm()).item() for n, w in weights.items())
    print(f"weights: largest relative difference {worst:.2e} over {len(weights)} tensors")


if __name__ == "__main__":
    main()
