"""Tiny Qwen2-VL checkpoints whose weights come from a seed; test/support/checkpoint.ts is the twin."""

import hashlib
import json
import math

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from seeded import around

# The last ids of the vocabulary, counted from its end.
SPECIAL = {"im_start": 14, "im_end": 13, "vision_start": 12, "vision_end": 11, "image": 10, "video": 9, "eos": 8}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def special(vocab, name):
    return vocab - SPECIAL[name]


def config_of(
    *, hidden=64, heads=4, kv=2, layers=2, intermediate=160, vocab=300, section=(2, 3, 3), tied=False,
    vision_embed=32, vision_heads=2, vision_depth=2, theta=10000.0, eps=1e-6, mlp_ratio=4,
):
    """config.json in the nested form."""
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "tie_word_embeddings": tied,
        "image_token_id": special(vocab, "image"),
        "video_token_id": special(vocab, "video"),
        "vision_start_token_id": special(vocab, "vision_start"),
        "vision_end_token_id": special(vocab, "vision_end"),
        "text_config": {
            "model_type": "qwen2_vl_text",
            "vocab_size": vocab,
            "hidden_size": hidden,
            "intermediate_size": intermediate,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv,
            "hidden_act": "silu",
            "max_position_embeddings": 512,
            "rms_norm_eps": eps,
            "use_sliding_window": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": tied,
            "bos_token_id": special(vocab, "eos"),
            "eos_token_id": special(vocab, "im_end"),
            "rope_parameters": {"rope_type": "default", "rope_theta": theta, "mrope_section": list(section)},
        },
        "vision_config": {
            "model_type": "qwen2_vl_vision",
            "depth": vision_depth,
            "embed_dim": vision_embed,
            "hidden_size": hidden,
            "hidden_act": "quick_gelu",
            "mlp_ratio": mlp_ratio,
            "num_heads": vision_heads,
            "in_channels": 3,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def flat_config(nested):
    """The same in the form of the hub's checkpoints."""
    text = dict(nested["text_config"])
    rope = text.pop("rope_parameters")
    vision = dict(nested["vision_config"])
    vision["in_chans"] = vision.pop("in_channels")
    vision["spatial_patch_size"] = vision["patch_size"]
    vision["model_type"] = "qwen2_vl"
    top = {k: v for k, v in nested.items() if k not in ("text_config", "vision_config")}
    return {
        **text,
        **top,
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
        "vision_config": vision,
    }


def weight(seed, name, shape, tied):
    """One tensor by its new name. Amplitudes keep activations near 1, logits near 2, and nothing flat."""
    size = math.prod(shape)
    amplitude, offset = 0.2, 0.0
    if name.endswith("embed_tokens.weight"):
        amplitude = 0.5 if tied else 1.7
    elif name == "lm_head.weight":
        amplitude = math.sqrt(12 / shape[1])
    elif len(shape) > 1:
        gain = 5 if name.split(".")[-2] in ("q_proj", "k_proj", "qkv") else 3
        amplitude = math.sqrt(gain / (size // shape[0]))
    elif name.endswith("weight"):
        amplitude, offset = 0.3, 1.0
    return around(seed, name, size=size, amplitude=amplitude, offset=offset).reshape(shape)


def weights(seed, config, dtype):
    """Every tensor of the checkpoint by its new name, in the dtype it is stored in."""
    tied = config["tie_word_embeddings"]
    with torch.device("meta"):
        empty = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**json.loads(json.dumps(config))))
    shapes = {name: tuple(p.shape) for name, p in empty.state_dict().items()}
    if tied:
        shapes.pop("lm_head.weight", None)
    return {
        name: torch.from_numpy(weight(seed, name, shape, tied)).to(DTYPES[dtype])
        for name, shape in sorted(shapes.items())
    }


def old_name(name):
    return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def write(folder, case):
    """Writes config.json and the shards; returns the weights by their new names."""
    stored = case["checkpoint"]
    tensors = weights(case["seed"], case["config"], stored["dtype"])
    old = stored["naming"] == "old"
    (folder / "config.json").write_text(json.dumps(flat_config(case["config"]) if old else case["config"]))
    named = {old_name(n) if old else n: t for n, t in tensors.items()}
    names = list(named)
    if stored["shards"] == 1:
        save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
        return tensors
    index = {}
    for i in range(stored["shards"]):
        file = f"model-{i + 1:05}-of-{stored['shards']:05}.safetensors"
        part = {n: named[n] for n in names[i :: stored["shards"]]}
        save_file(part, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return tensors


def digest(tensors):
    """SHA-256 over the f32 bytes of all tensors in the order of their new names."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(np.ascontiguousarray(tensors[name].float().numpy(), dtype="<f4").tobytes())
    return sha.hexdigest()


def load(folder, tensors, attention):
    """The model as transformers reads it from disk, in f32; fails where a tensor did not arrive."""
    model, info = Qwen2VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    state = model.state_dict()
    for name, tensor in tensors.items():
        assert torch.equal(state[name], tensor.float()), name
    model.config.use_cache = False
    model.config.text_config.use_cache = False
    return model
