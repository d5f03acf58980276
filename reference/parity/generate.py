"""Greedy answers of tiny random models to questions about pictures, with an adapter and without.

    python reference/parity/generate.py

writes test/fixtures/generate/answers.json. Pixels come from transformers' PIL image processor, ids from its chat template
and tokenizer (test/fixtures/conversations/tiny), answers from `generate`; weights and adapter from a seed. A few words
of the vocabulary end an answer too, so that answers of random models end. Every choice is clear: the likeliest token
leads by at least MARGIN, which is far above what f32 sums in another order change.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from PIL import Image
from transformers import AutoTokenizer, logging
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import adapter
import checkpoint
from cases import case, lora, stored

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
TOKENIZER = FIXTURES / "conversations" / "tiny"
OUT = FIXTURES / "generate"
PREPROCESSOR = {"min_pixels": 784, "max_pixels": 12544, "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
IDS = {"image": 425, "video": 426, "vision_start": 423, "vision_end": 424}
ENDS = [420, *range(5, 420, 31)]  # <|im_end|> first
MAX_NEW_TOKENS = 24
MARGIN = 1e-3


def asked(question, *images, system=None):
    """One question as turns; a picture is its file's name."""
    turns = [{"role": "system", "content": [{"type": "text", "text": system}]}] if system else []
    parts = [{"type": "image", "image": image} for image in images]
    return [*turns, {"role": "user", "content": [*parts, {"type": "text", "text": question}]}]


def talked(*turns):
    roles = ["user", "assistant"]
    return [
        {**turn[0], "role": roles[i % 2]} if isinstance(turn, list) else
        {"role": roles[i % 2], "content": [{"type": "text", "text": turn}]}
        for i, turn in enumerate(turns)
    ]


ROWS = [
    asked("Is there a polyp?", "rgb.png"),
    asked("How many are there?", "rgb.png"),
    asked("Where is it, and what colour does it have?", "rgb.png"),
    asked("Is there an instrument?", "grey.png"),
    asked("What?", "grey.png"),
    asked("Is there text in the picture?", "rgb-444.jpg"),
    asked("Describe the picture.", "rgb-444.jpg"),
    asked("Which organ is shown?", "narrow.png"),
    asked("Is it tall?", "narrow.png"),
    asked("Is it wide?", "wide.png"),
    asked("Who made it?", "wide.png"),
    asked("Which is larger?", "rgb.png", "narrow.png"),
    asked("And now?", "narrow.png", "rgb.png"),
    asked("Are these the same?", "grey.png", "grey.png"),
    asked("What is a polyp?"),
    asked("Say yes or no: is this text?", system="Answer in one word."),
    asked("Is there a polyp?", "rgb.png", system="You are a radiologist."),
    talked("Hello.", "Hello, what can I do?", "Name a colour."),
    talked(asked("Is there a polyp?", "rgb.png"), "Yes.", "Where is it?"),
    talked(asked("Is it red?", "wide.png"), "No.", asked("And this one?", "rgb-444.jpg"), "It is.", "Sure?"),
]


def config(**words):
    found = checkpoint.config_of(vocab=432, **words)
    found |= {f"{name}_token_id": id for name, id in IDS.items()}
    found["text_config"] |= {"bos_token_id": 421, "eos_token_id": 420}
    return found


CASES = [
    case("gqa", 411, [], config=config(kv=2), adapter=lora(b_amplitude=0.3)),
    case("tied-bf16", 425, [], config=config(kv=1, tied=True), checkpoint=stored("bf16", 2, "old"),
         adapter=lora(["q_proj", "v_proj", "fc1"], rank=3, rslora=True, b_amplitude=0.3)),
]


class Inputs:
    def __init__(self):
        self.tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
        self.images = Qwen2VLImageProcessorPil(**PREPROCESSOR)

    def batch(self, turns):
        files = [part["image"] for turn in turns for part in turn["content"] if part["type"] == "image"]
        pictures = [Image.open(FIXTURES / "images" / file).convert("RGB") for file in files]
        pixels = self.images(pictures, return_tensors="pt") if files else {}
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        parts = text.split("<|image_pad|>")
        text = parts[0]
        for grid, part in zip(pixels.get("image_grid_thw", []), parts[1:], strict=True):
            text += "<|image_pad|>" * (int(grid.prod()) // 4) + part
        ids = torch.tensor([self.tokenizer(text, add_special_tokens=False)["input_ids"]])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == IDS["image"]).int(),
            **pixels,
        }


def answer(model, batch):
    """Ids of the answer without its end, whether it ended, and how clearly the least clear token was chosen."""
    with torch.no_grad():
        out = model.generate(
            **batch, do_sample=False, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=ENDS, pad_token_id=421,
            use_cache=True, output_logits=True, return_dict_in_generate=True,
        )
    ids = out.sequences[0, batch["input_ids"].shape[1] :].tolist()
    tops = [logits[0].topk(2).values for logits in out.logits]
    margin = min((top[0] - top[1]).item() for top in tops)
    ended = ids[-1] in ENDS
    return ids[:-1] if ended else ids, ended, margin


def make(made, inputs):
    batches = [inputs.batch(turns) for turns in ROWS]
    with tempfile.TemporaryDirectory() as folder:
        weights = checkpoint.write(Path(folder), made)
        model = checkpoint.load(folder, weights, made["attention"]).eval()
    base = [answer(model, batch) for batch in batches]
    wrapped = adapter.attach(model, made).eval()
    adapted = [answer(wrapped, batch) for batch in batches]
    least = min(margin for _, _, margin in [*base, *adapted])
    ended = sum(end for _, end, _ in [*base, *adapted])
    changed = sum(a[0] != b[0] for a, b in zip(base, adapted))
    print(f"{made['name']}: least margin {least:.2g}, {ended} of {2 * len(ROWS)} ended, {changed} changed by the adapter,"
          f" prompts {[batch['input_ids'].shape[1] for batch in batches]}")
    assert least > MARGIN, "choose another seed"
    shapes = {key: list(tensor.shape) for key, tensor in adapter.tensors(wrapped).items()}
    say = lambda found: {"ids": found[0], "text": inputs.tokenizer.decode(found[0], skip_special_tokens=True),
                         "finish": "stop" if found[1] else "length"}
    return {
        **{key: made[key] for key in ("name", "seed", "checkpoint", "config")},
        "lora": {**made["lora"], "scale": adapter.scale(made["lora"]), "modules": adapter.modules(shapes)},
        "adapterShapes": shapes,
        "weightsSha256": checkpoint.digest(weights),
        "promptTokens": [batch["input_ids"].shape[1] for batch in batches],
        "base": [say(found) for found in base],
        "adapted": [say(found) for found in adapted],
    }


def main():
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    inputs = Inputs()
    fixture = {
        "preprocessor": PREPROCESSOR, "ends": ENDS, "maxNewTokens": MAX_NEW_TOKENS, "rows": ROWS,
        "models": [make(made, inputs) for made in CASES],
    }
    (OUT / "answers.json").write_text(json.dumps(fixture, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
