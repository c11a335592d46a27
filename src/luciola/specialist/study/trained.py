"""What a grid leaves open of models that `luciola sql train` wrote: their folders say it."""

from __future__ import annotations

from dataclasses import replace

from luciola.config.study import StudyConfig, StudyModel
from luciola.specialist.expertise import Expertise


def as_trained(config: StudyConfig) -> StudyConfig:
    """The study with each local model asked as it was taught, where the grid says nothing else.

    Raises: ModelError where a folder's specialist.json cannot be read.
    """
    return replace(config, models=tuple(_known(model) for model in config.models))


def _known(model: StudyModel) -> StudyModel:
    expertise = Expertise() if model.url else Expertise.load(model.model)
    raw = expertise.goes_on if model.raw is None else model.raw
    chosen = expertise.representation
    if model.representation or chosen is None:
        return replace(model, raw=raw)
    return replace(
        model,
        raw=raw,
        representation=chosen.name,
        foreign_keys=chosen.foreign_keys if model.foreign_keys is None else model.foreign_keys,
        rule=expertise.rule if model.rule is None else model.rule,
    )
