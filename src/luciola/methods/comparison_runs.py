"""What every run over comparisons says and plans before its first step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from luciola.config.preference import PreferenceConfig
from luciola.conversation.template import load_template
from luciola.methods.capacity import micro_tokens
from luciola.methods.comparisons import Comparisons
from luciola.methods.job import Result
from luciola.methods.pairing import ComparisonPlan
from luciola.methods.preparation import adapt
from luciola.methods.trainee import Trainee
from luciola.models.adapters import count_parameters
from luciola.models.empty import empty_model
from luciola.training.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def use_template(tokenizer: PreTrainedTokenizerBase, config: PreferenceConfig) -> None:
    """The model's folder keeps the template that it was trained with; it was read before."""
    if config.template:
        tokenizer.chat_template = load_template(config.template)


def plan_for(
    config: PreferenceConfig, data: Comparisons, trainee: Trainee, world: World, *, scored: bool
) -> ComparisonPlan:
    """The recipe's micro-batches; see `ComparisonPlan`."""
    return ComparisonPlan(
        data=data,
        batch=config.batch,
        epochs=config.epochs,
        max_steps=config.max_steps,
        kind=trainee.kind,
        capacity=micro_tokens(config, world),
        scored=scored,
        device=world.device,
        rank=world.rank,
        size=world.size,
    )


def introduction(
    config: PreferenceConfig, data: Comparisons, trainee: Trainee, world: World, folder: Path
) -> list[str]:
    """What is trained, on what, where and how: the first lines of every run."""
    return [
        f"training {trainee.count} of {config.model} on {data.num_training:,} comparisons "
        f"{trainee.place(world)}, in {folder}",
        *world.notes,
        *data.notes,
    ]


def describe_run(config: PreferenceConfig, data: Comparisons) -> Result:
    """What a run would train, without loading its weights.

    Raises: ModelError if the model cannot be used.
    """
    count = count_parameters(
        adapt(empty_model(config.model, trust_remote_code=config.trust_remote_code), config)
    )
    plan = ComparisonPlan(
        data, config.batch, config.epochs, config.max_steps, "packed", 1, True, torch.device("cpu")
    )
    steps = f"{len(plan):,} steps of {config.batch} comparisons, {plan.steps_per_epoch:,} an epoch"
    text = "\n".join([f"would train {count} of {config.model}", *data.notes, steps])
    return Result(Path(), Path(), "dry run", text=text)
