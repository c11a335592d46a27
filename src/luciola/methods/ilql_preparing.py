"""What a run of ILQL trains, and its steps: before the first one, and for a dry run."""

from __future__ import annotations

from pathlib import Path

import torch

from luciola.config.ilql import IlqlConfig
from luciola.methods.capacity import micro_tokens
from luciola.methods.job import Result
from luciola.methods.logged import LoggedPlan, Logs
from luciola.methods.preparation import adapt, load_trainable
from luciola.methods.trainee import Trainee
from luciola.models.adapters import count_parameters
from luciola.models.empty import empty_model
from luciola.models.head import output_head
from luciola.models.q_heads import QRoles, heads_for
from luciola.training.world import World


def prepare(config: IlqlConfig, world: World) -> Trainee:
    """Load the model, give it the heads, and make it trainable as the recipe says."""
    loaded = load_trainable(config, world, shared_prefixes=False)
    heads = heads_for(loaded.model, two_qs=config.two_qs, run_seed=config.seed)
    return loaded.trainee(QRoles(loaded.model, heads, autocast=loaded.precision.autocast), world)


def plan_for(config: IlqlConfig, logs: Logs, trainee: Trainee, world: World) -> LoggedPlan:
    """The recipe's micro-batches."""
    return LoggedPlan(
        logs=logs,
        batch=config.batch,
        epochs=config.epochs,
        max_steps=config.max_steps,
        kind=trainee.kind,
        capacity=micro_tokens(config, world),
        device=world.device,
        rank=world.rank,
        size=world.size,
    )


def describe_run(config: IlqlConfig, logs: Logs) -> Result:
    """What a run would train, without loading the model's weights."""
    model = adapt(empty_model(config.model, trust_remote_code=config.trust_remote_code), config)
    with output_head(model).weight.device:
        heads = heads_for(model, two_qs=config.two_qs, run_seed=config.seed)
    count = count_parameters(QRoles(model, heads))
    plan = LoggedPlan(
        logs, config.batch, config.epochs, config.max_steps, "packed", 1, torch.device("cpu")
    )
    steps = f"{len(plan):,} steps of {config.batch} samples, {plan.steps_per_epoch:,} an epoch"
    text = "\n".join([f"would train {count} of {config.model}", *logs.notes, steps])
    return Result(Path(), Path(), "dry run", text=text)
