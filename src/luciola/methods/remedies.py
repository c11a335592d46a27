"""What would make a run need less memory, and the error of one that has too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from luciola.config.online import ActorCriticConfig
from luciola.config.training import TrainingConfig
from luciola.errors import TrainingError
from luciola.memory.cards import Card
from luciola.memory.forecast import gib
from luciola.methods.planning import Planner


def too_large(
    config: TrainingConfig, detail: str, card: Card | None, *, processes: int = 1
) -> TrainingError:
    """The error where one example alone does not fit: the largest parts, the cheapest remedy.

    Args:
        detail: what torch said.
        processes: of the run.
    """
    planner = Planner(config, has_bfloat16=card is None or card.has_bfloat16)
    forecast = planner.forecast(config.max_length)
    parts = ", ".join(f"{name} {gib(size)}" for name, size in forecast.largest())
    savings = remedies(config, forecast.peak, planner)
    listed = "; ".join(f"{what} (-{gib(saved)})" for what, saved in savings[:3])
    return TrainingError(
        f"out of memory {_when(config, processes)} ({detail.splitlines()[0]:.120}); "
        f"the largest parts are {parts}",
        remedy=f"Cheapest first: {listed or 'a smaller max_length, or a smaller model'}.",
    )


def _when(config: TrainingConfig, processes: int) -> str:
    where = f"in one of {processes} processes, " if processes > 1 else ""
    return f"{where}with one example of up to {config.max_length:,} tokens in a micro-batch"


def remedies(
    config: TrainingConfig, peak: int, planner: Planner | None = None
) -> list[tuple[str, int]]:
    """Settings that would lower the peak, and by how many bytes; those that cost least first."""
    bfloat16 = planner is None or planner.autocast or config.precision == "fp32"
    found = []
    for text, changes in _changes(config).items():
        try:
            other: Any = replace(config, **changes)
            less = Planner(other, has_bfloat16=bfloat16).forecast(other.max_length)
        except Exception:  # the recipe forbids the combination
            continue
        if peak - less.peak > 0.02 * peak:
            found.append((text, peak - less.peak))
    return found


def _changes(config: TrainingConfig) -> Mapping[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    if not config.checkpointing:
        changes["checkpointing=true"] = {"checkpointing": True}
    if config.optimizer == "adamw":
        changes["optimizer=adamw8bit"] = {"optimizer": "adamw8bit"}
    if config.adapter == "full":
        changes["adapter=lora"] = {"adapter": "lora"}
    if config.ema:
        changes["ema=0"] = {"ema": 0.0}
    if isinstance(config, ActorCriticConfig) and config.critic == "separate":
        changes["critic=shared"] = {"critic": "shared"}
    if config.adapter == "lora" and hasattr(config, "quantisation"):
        changes["adapter=qlora"] = {"adapter": "qlora"}
    changes[f"max_length={config.max_length // 2}"] = {"max_length": config.max_length // 2}
    return changes
