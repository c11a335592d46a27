"""What an online run says of itself: before it begins, and for a dry run."""

from __future__ import annotations

from pathlib import Path

from luciola.data.cutting import cut_text
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.preparing import Config
from luciola.methods.online.prompts import Prompts
from luciola.methods.trainee import Trainee
from luciola.training.world import World


def introduction(
    config: Config,
    prompts: Prompts,
    trainee: Trainee,
    world: World,
    folder: Path,
    iterations: int,
) -> list[str]:
    """What is trained, on what, where and how: the first lines of every run."""
    lines = [
        f"training {trainee.count} of {config.model} with {algorithm_for(config).name.upper()} on "
        f"{len(prompts):,} prompts, {iterations:,} iterations of {config.rollouts} answers, "
        f"{trainee.place(world)}, in {folder}",
        *world.notes,
    ]
    lines += _left_out(config, prompts)
    whose = "the trainer, which computes" if config.old_logprobs == "trainer" else "the sampler;"
    if config.old_logprobs == "trainer":
        lines.append(f"log-probabilities of sampling are those of {whose} them once more")
    else:
        lines.append("log-probabilities of sampling are the sampler's own, as it rounds them")
    return lines


def plan_text(config: Config, prompts: Prompts, iterations: int) -> str:
    steps = iterations * config.updates * -(-config.rollouts // config.batch)
    text = (
        f"would train {config.model} on {len(prompts):,} prompts: {iterations:,} iterations of "
        f"{config.rollouts} answers, {steps:,} steps of {config.batch}"
    )
    return "\n".join([text, *_left_out(config, prompts)])


def _left_out(config: Config, prompts: Prompts) -> list[str]:
    """The notice about prompts that are too long, where there are some."""
    total, limit = len(prompts) + prompts.too_long, config.max_length - config.max_new_tokens
    shown = cut_text(prompts.too_long, total, "prompt", left_out=True, limit=limit)
    return [shown] if prompts.too_long else []
