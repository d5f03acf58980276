"""Fixtures of what transformers and PEFT put on disk for Qwen2-VL: configs, names, shapes, selections, adapters.

Run from the repository's root:  python reference/make_adapters.py test/fixtures/adapters
Needs transformers 5.18, PEFT 0.21 and safetensors. All values are drawn from fixed seeds.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

TEXT = dict(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    vocab_size=64,
    max_position_embeddings=256,
    bos_token_id=1,
    eos_token_id=2,
)
VISION = dict(depth=2, embed_dim=16, num_heads=2, mlp_ratio=2, hidden_size=16, patch_size=4)
IDS = dict(image_token_id=10, video_token_id=11, vision_start_token_id=12, vision_end_token_id=13)
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1]}

SELECTIONS = [
    "all-linear",
    "ALL-LINEAR",
    ["q_proj", "v_proj"],
    ["attn.proj"],
    ["mlp.0"],
    ["qkv", "fc1", "merger.mlp.2"],
    ["layers.1.self_attn.q_proj"],
    ["model.language_model.layers.0.mlp.up_proj"],
    r".*layers\.\d+\.self_attn\.(q|v)_proj",
    r"model\.visual\.blocks\.(?P<block>\d+)\.mlp\.fc[12]",
    r"(?i).*\.Q_PROJ",
    r"model\.language_model\..*_proj",
]
REFUSED = ["q_proj", ["nothing"], r"layers\.0\..*", ["roj"]]


def config(**extra):
    return Qwen2VLConfig(text_config=dict(TEXT, rope_parameters=dict(ROPE)), vision_config=dict(VISION), **IDS, **extra)


def flat_config():
    """The form that the hub's files have, with the spelling of transformers 4."""
    flat = dict(TEXT, **IDS, model_type="qwen2_vl", rope_theta=1e6, rms_norm_eps=1e-6, torch_dtype="bfloat16")
    flat["rope_scaling"] = {"type": "mrope", "mrope_section": [2, 1, 1]}
    flat["vision_config"] = dict(VISION, in_chans=3, spatial_patch_size=4)
    flat["tie_word_embeddings"] = True
    return flat


def resolved(folder):
    """What transformers makes of a config.json, under the names that Lorikeet gives it."""
    c = Qwen2VLConfig.from_pretrained(folder)
    model = Qwen2VLForConditionalGeneration(c)
    t, v = c.text_config, c.vision_config
    return {
        "hiddenSize": t.hidden_size,
        "layers": t.num_hidden_layers,
        "heads": t.num_attention_heads,
        "kvHeads": t.num_key_value_heads,
        "intermediateSize": t.intermediate_size,
        "vocabSize": t.vocab_size,
        "rmsNormEps": t.rms_norm_eps,
        "ropeTheta": t.rope_parameters["rope_theta"],
        "mropeSection": t.rope_parameters.get("mrope_section", [16, 24, 24]),
        "tieWordEmbeddings": model.lm_head.weight is model.model.language_model.embed_tokens.weight,
        "vision": {
            "depth": v.depth,
            "embedDim": v.embed_dim,
            "heads": v.num_heads,
            "mlpHidden": model.model.visual.blocks[0].mlp.fc1.out_features,
            "patchSize": v.patch_size,
            "hiddenSize": v.hidden_size,
            "layerNormEps": model.model.visual.blocks[0].norm1.eps,
        },
    }


def write_configs(out):
    nested = config().to_dict()
    nested.pop("tie_word_embeddings", None)
    variants = {"flat": flat_config(), "flat-untold": {k: v for k, v in flat_config().items() if k != "tie_word_embeddings"}}
    for top in (None, True, False):
        for text in (None, True, False):
            variant = json.loads(json.dumps(nested))
            variant["text_config"].pop("tie_word_embeddings", None)
            if top is not None:
                variant["tie_word_embeddings"] = top
            if text is not None:
                variant["text_config"]["tie_word_embeddings"] = text
            variants[f"nested-top-{top}-text-{text}"] = variant
    old_nested = json.loads(json.dumps(nested))
    old_nested["text_config"]["rope_scaling"] = {"type": "default", "rope_type": "default", "mrope_section": [2, 1, 1]}
    old_nested["text_config"]["rope_theta"] = 5e5
    del old_nested["text_config"]["rope_parameters"]
    variants["nested-transformers-4"] = old_nested
    cases = {}
    for name, variant in variants.items():
        folder = out / "scratch"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(variant))
        cases[name] = {"config": variant, "resolved": resolved(folder)}
        shutil.rmtree(folder)
    (out / "configs.json").write_text(json.dumps(cases))


def linear_names(model):
    return [name.removeprefix("base_model.model.").removesuffix(".lora_A") for name, _ in model.named_modules() if name.endswith(".lora_A")]


def write_names(out, base):
    scratch = out / "scratch"
    names = {"parameters": {}, "stored": {}, "selections": [], "refused": REFUSED}
    for tied in (True, False):
        model = Qwen2VLForConditionalGeneration(config(tie_word_embeddings=tied))
        key = "tied" if tied else "untied"
        names["parameters"][key] = {name: list(p.shape) for name, p in model.named_parameters()}
        model.save_pretrained(scratch)
        names["stored"][key] = {name: list(t.shape) for name, t in load_file(scratch / "model.safetensors").items()}
        shutil.rmtree(scratch)
    for target in SELECTIONS:
        peft = get_peft_model(base(), LoraConfig(r=2, target_modules=target))
        names["selections"].append({"targetModules": target, "modules": linear_names(peft)})
    for target in REFUSED:
        try:
            get_peft_model(base(), LoraConfig(r=2, target_modules=target))
        except ValueError:
            continue
        raise SystemExit(f"PEFT accepts {target}")
    (out / "names.json").write_text(json.dumps(names))


def write_adapter(folder, base, **options):
    torch.manual_seed(11)
    peft = get_peft_model(base(), LoraConfig(r=2, task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    peft.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    written = json.loads(path.read_text())
    written["base_model_name_or_path"] = "tiny-base"
    if isinstance(written["target_modules"], list):
        written["target_modules"].sort()
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")


def rename(source, target, change):
    """Older generations differ in their keys alone."""
    shutil.copytree(source, target)
    tensors = {change(key): value for key, value in load_file(source / "adapter_model.safetensors").items()}
    save_file(tensors, target / "adapter_model.safetensors", {"format": "pt"})


def old_stem(key):
    return key.replace("model.model.language_model.", "model.model.").replace("model.model.visual.", "model.visual.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    def base():
        torch.manual_seed(3)
        return Qwen2VLForConditionalGeneration(config(tie_word_embeddings=True))

    write_configs(out)
    write_names(out, base)
    config(tie_word_embeddings=True).save_pretrained(out / "base")
    seven = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    write_adapter(out / "decoder", base, lora_alpha=8, lora_dropout=0.05, target_modules=seven)
    write_adapter(
        out / "regex-rslora", base, lora_alpha=3, use_rslora=True, target_modules=r".*(visual\.blocks\.\d+\.attn\.proj|merger\.mlp\.[02]|layers\.1\.self_attn\.q_proj)"
    )
    write_adapter(out / "all-linear", base, lora_alpha=4, target_modules="all-linear")
    rename(out / "all-linear", out / "old-stems", old_stem)
    rename(out / "decoder", out / "default-infix", lambda key: key.replace(".weight", ".default.weight"))
    sums = {
        folder.name: {key: float(value.double().sum()) for key, value in load_file(folder / "adapter_model.safetensors").items()}
        for folder in sorted(out.iterdir())
        if (folder / "adapter_model.safetensors").exists()
    }
    (out / "sums.json").write_text(json.dumps(sums))


if __name__ == "__main__":
    main()
