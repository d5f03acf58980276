"""Scores of answers by torchmetrics 1.9 (token F1 of SQuAD, ROUGE-L) and nltk 3.10 (BLEU-1).

    python reference/make_metrics.py        # writes test/fixtures/metrics.json
"""

import json
import re
import warnings
from pathlib import Path

from nltk.translate.bleu_score import sentence_bleu
from torchmetrics.functional.text import rouge_score, squad

warnings.filterwarnings("ignore")  # no shared word at all is what some pairs are for

pairs = [
    ("yes", "Yes"),
    ("yes.", "yes"),
    ("No, there is no polyp.", "no"),
    ("The polyp is in the upper left corner.", "There is a polyp in the upper left corner of the picture."),
    ("a the an", "the"),
    ("upper-left", "upper left"),
    ("the the the the the the the", "the cat is on the mat"),
    ("it is a red polyp and a red tool", "a red polyp"),
    ("there is one", "there is one small flat polyp beside the fold"),
    ("beside the fold there is one small polyp", "there is one small polyp beside the fold"),
    ("3", "3"),
    ("three polyps of 5 mm", "3 polyps, 5mm"),
    ("pneumothorax", "cardiomegaly"),
    ("The theatre, an anthem: another word!", "theatre anthem another word"),
    ("x", "one two three four five six"),
    ("Right lower lobe   consolidation\nwith effusion", "right lower lobe consolidation, with pleural effusion"),
]


def words(text):
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).split()


def row(predicted, expected):
    answers = [{"answers": {"answer_start": [0], "text": [expected]}, "id": "0"}]
    f1 = squad([{"prediction_text": predicted, "id": "0"}], answers)["f1"].item() / 100
    rouge = rouge_score(predicted, expected, rouge_keys="rougeL")["rougeL_fmeasure"].item()
    bleu = sentence_bleu([words(expected)], words(predicted), weights=(1,))
    return {"predicted": predicted, "expected": expected, "f1": f1, "rougeL": rouge, "bleu1": bleu}


target = Path(__file__).parent.parent / "test/fixtures/metrics.json"
target.write_text(json.dumps([row(*pair) for pair in pairs], indent=1) + "\n")
