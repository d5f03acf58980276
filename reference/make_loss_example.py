"""The conversations that docs/loss.md works through, token by token, from transformers' Qwen2-VL tokenizer.

    python reference/make_loss_example.py [--real ../shared/models/qwen2-vl]

Writes test/fixtures/loss/worked-example.json: for each answer the ids, the text of each token, and its part of the
conversation, with the 256 image tokens of a 448 x 448 picture. So the document's numbers can be held to the published
tokenizer where its files are absent.
"""

import argparse
import json
from pathlib import Path

from make_conversations import DEFAULT_SYSTEM, IMAGE, Reference, says, text, user
from transformers import AutoTokenizer

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "test" / "fixtures" / "loss" / "worked-example.json"

QUESTION = "Is there a polyp?"
ANSWERS = {"sentence": "Yes, there is a polyp visible.", "word": "yes"}
IMAGE_TOKENS = 256  # (448 / 14 / 2) ** 2


def parts(reference, answer):
    """Ids with the part that each belongs to, written down from ChatML's own structure."""
    encode, special = reference.text, reference.special
    pieces = [
        ([special["<|im_start|>"], *encode("system\n")], "header"),
        (encode(DEFAULT_SYSTEM), "system"),
        ([special["<|im_end|>"], *encode("\n")], "header"),
        ([special["<|im_start|>"], *encode("user\n"), special["<|vision_start|>"]], "header"),
        ([special["<|image_pad|>"]] * IMAGE_TOKENS, "image"),
        ([special["<|vision_end|>"]], "header"),
        (encode(QUESTION), "user"),
        ([special["<|im_end|>"], *encode("\n")], "header"),
        ([special["<|im_start|>"], *encode("assistant\n")], "header"),
        (encode(answer), "answer"),
        ([special["<|im_end|>"], *encode("\n")], "end"),
    ]
    return [id for ids, _ in pieces for id in ids], [part for ids, part in pieces for _ in ids]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=HERE.parent.parent / "shared" / "models" / "qwen2-vl")
    tokenizer = AutoTokenizer.from_pretrained(parser.parse_args().real)
    reference = Reference(tokenizer)
    examples = {}
    for name, answer in ANSWERS.items():
        ids, kinds = parts(reference, answer)
        turns = [user(IMAGE, text(QUESTION)), says("assistant", answer)]
        assert ids == reference.encode(turns, [IMAGE_TOKENS])[0] == reference.whole(turns, [IMAGE_TOKENS])
        texts = [tokenizer.decode([id]) for id in ids]
        examples[name] = {"answer": answer, "ids": ids, "texts": texts, "kinds": kinds}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps({"question": QUESTION, "examples": examples}, separators=(",", ":"))
    OUT.write_text(body + "\n")


if __name__ == "__main__":
    main()
