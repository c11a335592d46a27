"""Which setting somebody meant: near spellings, and the names that other tools use."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from luciola.config.settings import describe

ELSEWHERE = {
    "adam_beta1": "betas",
    "base_model": "model",
    "batch_size": "batch",
    "bf16": "precision",
    "chat_template": "template",
    "cutoff_len": "max_length",
    "dataset": "data",
    "datasets": "data",
    "early_stopping_patience": "patience",
    "eval_steps": "eval_every",
    "finetuning_type": "adapter",
    "fp16": "precision",
    "gradient_checkpointing": "checkpointing",
    "learning_rate": "lr",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "lora_r": "lora.r",
    "lora_rank": "lora.r",
    "lora_target": "lora.targets",
    "lora_target_modules": "lora.targets",
    "lr_scheduler_type": "schedule",
    "max_seq_length": "max_length",
    "model_max_length": "max_length",
    "model_name_or_path": "model",
    "neftune_noise_alpha": "neftune_alpha",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "optim": "optimizer",
    "output_dir": "out",
    "per_device_train_batch_size": "batch",
    "random_state": "seed",
    "rank": "lora.r",
    "report_to": "track",
    "sample_packing": "packing",
    "save_steps": "save_every",
    "save_total_limit": "keep",
    "system_prompt": "system",
    "target_modules": "lora.targets",
    "train_file": "data",
    "val_set_size": "eval_fraction",
    "validation_file": "eval_data",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
}
"""Names that people know from elsewhere, and ours."""


def nearest(cls: type[Any], *spellings: str) -> str | None:
    """The setting of `cls` that a spelling probably meant, dotted; None where none is near."""
    known = {setting.name for setting in describe(cls)}
    candidates = {name.rpartition(".")[2]: name for name in known}
    candidates |= {alias: name for alias, name in ELSEWHERE.items() if name in known}
    candidates |= {name.partition(".")[0]: name.partition(".")[0] for name in known}
    candidates |= {name: name for name in known}
    for spelling in spellings:
        wanted = spelling.lower().replace("-", "_")
        match = get_close_matches(wanted, candidates, n=1, cutoff=0.65)
        if match:
            return candidates[match[0]]
    return None
