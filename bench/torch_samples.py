"""Peer of bench/packs.ts: questions about a picture as transformers and PEFT train them, each a sample of its own.

A whole Qwen2-VL with random weights, LoRA r = 16 on the decoder's seven linears, SDPA, batch 1; the vision tower frozen and without
gradients, the head on label rows only, no recompute. Reads options as JSON, prints `ready`, then answers each line of
JSON with a line of seconds.
"""

import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

options = json.loads(sys.argv[1])
dtype = getattr(torch, options["dtype"])
torch.manual_seed(0)
config = Qwen2VLConfig.from_dict(options["config"])
config._attn_implementation = "sdpa"
torch.set_default_dtype(dtype)
base = Qwen2VLForConditionalGeneration(config)
torch.set_default_dtype(torch.float32)
assert next(base.parameters()).dtype == dtype
targets = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
# Adapters in the model's own type: PEFT's default, f32 beside bf16, is slower.
model = get_peft_model(
    base, LoraConfig(r=16, lora_alpha=32, target_modules=targets), autocast_adapter_dtype=False
)
model.train()
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4)


def sample(ids, kinds, patches, grid):
    """One sample's forward and backward, from token ids and patches."""
    ids = torch.tensor([ids])
    grid = torch.tensor([grid])
    labels = torch.tensor([kind == 1 for kind in kinds])
    hidden = base.model(
        input_ids=ids,
        pixel_values=patches,
        image_grid_thw=grid,
        mm_token_type_ids=(ids == config.image_token_id).int(),
        use_cache=False,
    ).last_hidden_state[0]
    rows = hidden[labels.nonzero()[:, 0] - 1]
    logits = base.lm_head(rows).float()
    torch.nn.functional.cross_entropy(logits, ids[0, labels], reduction="sum").backward()


def random_sample():
    length = options["prefix"] + options["branch"]
    ids = torch.randint(1000, 100000, (length,)).tolist()
    before = options["before"]
    ids[before - 1] = config.vision_start_token_id
    count = options["imageTokens"]
    ids[before : before + count] = [config.image_token_id] * count
    ids[before + count] = config.vision_end_token_id
    kinds = [int(t >= length - options["answer"]) for t in range(length)]
    patches = (torch.randn(4 * count, 1176)).to(dtype)
    return ids, kinds, patches, options["grid"]


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def answer(request):
    torch.set_num_threads(request["threads"])
    if request["do"] == "optimizer":
        seconds = timed(optimizer.step)
        optimizer.zero_grad()
        return seconds
    one = random_sample()
    return timed(lambda: sample(*one))


print("ready", flush=True)
for line in sys.stdin:
    print(answer(json.loads(line)), flush=True)
