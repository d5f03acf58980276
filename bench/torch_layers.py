"""Peer of bench/speed.ts: Qwen2-VL decoder layers with PEFT's LoRA, forward and backward in f32.

Reads options as JSON, prints `ready`, then one line of seconds for each line read.
"""

import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLTextConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLTextModel

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
torch.manual_seed(0)
config = Qwen2VLTextConfig(
    vocab_size=64,
    hidden_size=options["hiddenSize"],
    intermediate_size=options["intermediateSize"],
    num_hidden_layers=options["layers"],
    num_attention_heads=options["heads"],
    num_key_value_heads=options["kvHeads"],
    rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    use_cache=False,
)
config._attn_implementation = "sdpa"
dtype = getattr(torch, options.get("dtype", "float32"))
model = Qwen2VLTextModel(config).to(dtype)
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets))
x = (torch.randn(1, options["tokens"], options["hiddenSize"]) * 0.1).to(dtype).requires_grad_()
seed = torch.randn_like(x)


def step() -> float:
    model.zero_grad()
    x.grad = None
    start = time.perf_counter()
    y = model(inputs_embeds=x, use_cache=False).last_hidden_state
    y.backward(seed)
    return time.perf_counter() - start


step()
print("ready", flush=True)
for _ in sys.stdin:
    print(step(), flush=True)
