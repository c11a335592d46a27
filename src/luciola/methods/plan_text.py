"""What `luciola plan` says: the table, what fits, and what would make it fit."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from luciola.config.training import TrainingConfig
from luciola.memory.cards import Card
from luciola.memory.forecast import Forecast, gib, table
from luciola.memory.simulation import Load
from luciola.methods.planning import Planner
from luciola.methods.preparation import default_micro_tokens, load
from luciola.methods.remedies import remedies
from luciola.methods.requirements import check_machine


def describe(
    method: str, config: TrainingConfig, card: Card | None, *, measured: bool = False
) -> str:
    """The forecast of a recipe as a person reads it.

    Args:
        card: to fit; None: there is none at hand and none was named.
        measured: run the largest step on this machine and compare.

    Raises: ConfigError or MissingExtraError where a step is to be measured in few bits and this
        machine cannot load them.
    """
    if measured:
        check_machine(config)
    planner = Planner(config, has_bfloat16=card is None or card.has_bfloat16)
    fitting = None if card is None else planner.largest_fitting(card)
    tokens = config.micro_tokens or fitting or default_tokens(config, card)
    forecast = planner.forecast(tokens)
    figures = measure(config, planner, tokens) if measured else None
    kind = "fp32" if not planner.autocast else "fp16" if config.precision == "fp16" else "bf16"
    lines = [
        f"memory of {method} of {config.model}, {config.adapter}, {kind}, "
        f"micro_tokens={tokens:,}, predicted",
        table(forecast, card, figures),
        *recommendations(config, planner, forecast, card, fitting),
    ]
    if measured and not torch.cuda.is_available():
        lines.append("there is no GPU here: only what lasts was measured, not the step's peak")
    return "\n".join(lines)


def default_tokens(config: TrainingConfig, card: Card | None) -> int:
    """What the trainer would take without a forecast; one full example where nothing fits."""
    if card is not None:
        return config.max_length
    return default_micro_tokens(torch.device("cpu"))


def recommendations(
    config: TrainingConfig,
    planner: Planner,
    forecast: Forecast,
    card: Card | None,
    fitting: int | None,
) -> list[str]:
    """What to set on this card."""
    if card is None:
        return ["there is no GPU here; name one to see what fits: --card 24GB"]
    if fitting is not None and forecast.fits(card):
        if not config.micro_tokens:
            return [f"micro_tokens={fitting:,} is the largest that fits; the trainer takes it"]
        return [f"the largest micro_tokens that fits: {fitting:,}"]
    if fitting is not None:
        return [f"set micro_tokens={fitting}, the largest that fits, or leave it out"]
    one = planner.forecast(config.max_length)
    saved = remedies(config, one.peak, planner)
    if not saved:
        return ["not even one example fits; take a smaller model or max_length"]
    room = card.usable_bytes
    lines = ["not even one example fits; what would save memory, cheapest first:"]
    for text, size in saved:
        enough = "fits then" if one.peak - size <= room else "not enough alone"
        lines.append(f"  {text:24} -{gib(size)}, {enough}")
    return lines


def measure(config: TrainingConfig, planner: Planner, tokens: int) -> dict[str, int]:
    """Bytes by part of the largest step on this machine, its model loaded as the run would load
    it; with attention for flat rows, since the largest step is one.
    """
    from luciola.methods.measuring import measure_step

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    flat = replace(config, attention="auto", packing="auto")
    load_flat = partial(load, flat, device, planner.precision(device))
    full = Load(tokens, tokens, planner.accumulates(tokens))
    return measure_step(config, load_flat, full, autocast=planner.autocast)
