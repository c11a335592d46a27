"""What `PPOTrainer` is given: checked, and made where it is not given."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from luciola.compat.trl.config import PPOConfig
from luciola.compat.trl.errors import ClassicError
from luciola.compat.trl.reference import create_reference_model
from luciola.compat.trl.value_head import AutoModelForCausalLMWithValueHead
from luciola.runs.trackers import Tracker, open_trackers

TOKENIZER = ("pad_token_id", "eos_token_id", "padding_side")
"""What the trainer asks of a tokenizer."""


def check_arguments(config: Any, model: Any, ref_model: Any, tokenizer: Any) -> None:
    """Raises: ClassicError where one is of another kind."""
    if not isinstance(config, PPOConfig):
        raise ClassicError(f"config must be a PPOConfig, got {type(config).__name__}")
    given = {"model": model} if ref_model is None else {"model": model, "ref_model": ref_model}
    for name, value in given.items():
        if not isinstance(value, AutoModelForCausalLMWithValueHead):
            raise ClassicError(
                f"{name} must be an AutoModelForCausalLMWithValueHead, got {type(value).__name__}",
                remedy="AutoModelForCausalLMWithValueHead.from_pretrained(MODEL) makes one, also "
                "of a model that is loaded.",
            )
    if ref_model is model:
        raise ClassicError(
            "ref_model is the model itself, which would follow it instead of staying",
            remedy="Leave ref_model out: a copy is made.",
        )
    if not all(hasattr(tokenizer, name) for name in TOKENIZER):
        raise ClassicError(
            f"tokenizer must be a tokenizer of transformers, got {type(tokenizer).__name__}"
        )
    config.check()


def reference_model(
    model: AutoModelForCausalLMWithValueHead, given: Any, num_shared_layers: int | None
) -> Any:
    """The reference as a model of its own; None where it is the model with its adapter off."""
    if given is None:
        return None if model.is_peft_model else create_reference_model(model, num_shared_layers)
    return given.requires_grad_(False).eval()


def adam(model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    """Adam without decay, eps 1e-8, as the original's."""
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)


def data_loader(dataset: Any, batch_size: int, collator: Callable[[list[Any]], Any] | None) -> Any:
    """Batches of shuffled rows, the last incomplete one left out."""
    from torch.utils.data import DataLoader

    return DataLoader(
        dataset,
        batch_size=batch_size,
        collate_fn=collator or columns_of,
        shuffle=True,
        drop_last=True,
    )


def columns_of(rows: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as one list per column, of whatever length each value is."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def trackers_of(config: PPOConfig) -> list[Tracker]:
    """What `log_with` names, writing below project_kwargs["logging_dir"] or runs/."""
    if config.log_with is None:
        return []
    folder = Path(config.project_kwargs.get("logging_dir") or Path("runs", config.exp_name))
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_trackers([config.log_with], folder, config.tracker_kwargs)
    for tracker in opened:
        atexit.register(tracker.close)
    return opened
