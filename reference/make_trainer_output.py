"""What the Hugging Face Trainer leaves of a small LoRA run, as `lorikeet report` reads it.

    python reference/make_trainer_output.py test/fixtures/trainer

A tiny Qwen2 with random weights, 48 rows of 12 ids, two epochs in 12 steps, an evaluation every 3. Kept are the
files that are text: `trainer_state.json` and `adapter_config.json`, at the root and in the newest checkpoint.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM, Trainer, TrainingArguments, set_seed


class Rows(torch.utils.data.Dataset):
    """Rows that count upwards from a start, so that there is something to learn."""

    def __init__(self, count: int, seed: int):
        starts = torch.randint(0, 40, (count, 1), generator=torch.Generator().manual_seed(seed))
        self.ids = starts + torch.arange(12)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> dict:
        return {"input_ids": self.ids[i], "labels": self.ids[i].clone()}


def model():
    config = Qwen2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
    )
    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.05, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(Qwen2ForCausalLM(config), lora)
    # The fixture names no folder of the machine that made it.
    adapted.peft_config["default"].base_model_name_or_path = "tiny-qwen2"
    return adapted


def main(target: Path) -> None:
    set_seed(7)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=2,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            learning_rate=5e-3,
            warmup_steps=2,
            logging_steps=1,
            eval_strategy="steps",
            eval_steps=3,
            save_strategy="steps",
            save_steps=6,
            report_to=[],
            seed=7,
            use_cpu=True,
        )
        trainer = Trainer(model=model(), args=arguments, train_dataset=Rows(48, 1), eval_dataset=Rows(12, 2))
        trainer.train()
        trainer.save_model()
        trainer.save_state()
        shutil.rmtree(target, ignore_errors=True)
        for path in sorted(Path(folder).rglob("*.json")):
            if path.name not in ("trainer_state.json", "adapter_config.json"):
                continue
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            content = json.loads(path.read_text())
            for key in ("best_model_checkpoint",):
                if key in content:
                    content[key] = None
            copy.write_text(json.dumps(content, indent=2) + "\n")


main(Path(sys.argv[1]))
