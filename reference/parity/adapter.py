"""LoRA through PEFT, its tensors from the seed."""

import math

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict

from seeded import around


def attach(model, case):
    """Wraps the model; A uniform within 1/sqrt(in) as PEFT draws it, B within bAmplitude (0: fresh)."""
    lora = case["lora"]
    config = LoraConfig(
        r=lora["rank"], lora_alpha=lora["alpha"], lora_dropout=0.0, use_rslora=lora["rslora"],
        target_modules=lora["targetModules"], bias="none", task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config)
    with torch.no_grad():
        for key, tensor in tensors(wrapped).items():
            amplitude = 1 / math.sqrt(tensor.shape[1]) if ".lora_A." in key else lora["bAmplitude"]
            values = around(case["seed"], key, size=tensor.numel(), amplitude=amplitude)
            tensor.copy_(torch.from_numpy(values).reshape(tensor.shape))
    return wrapped


def tensors(wrapped):
    """Live parameters by the key that PEFT writes to adapter_model.safetensors."""
    named = {n.replace(".default.", "."): p for n, p in wrapped.named_parameters() if "lora_" in n}
    assert set(named) == set(get_peft_model_state_dict(wrapped, save_embedding_layers=False)), "keys differ from PEFT's own"
    return dict(sorted(named.items()))


def modules(keys):
    """Names of the wrapped modules."""
    return sorted({k.removeprefix("base_model.model.").split(".lora_")[0] for k in keys})


def scale(lora):
    return lora["alpha"] / (math.sqrt(lora["rank"]) if lora["rslora"] else lora["rank"])
