"""A model on its way to the first step: loaded, then with its roles and ready to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from luciola.config.training import TrainingConfig
from luciola.methods.stream import Kind
from luciola.models.adapters import ParameterCount, count_parameters, trained_parameters
from luciola.models.precision import Precision
from luciola.training.optimizer import Average
from luciola.training.world import World


@dataclass(frozen=True)
class Trainee:
    """A model ready to train.

    Args:
        roles: the run's one module, prepared for its processes.
        parameters: what is trained, by name.
        count: how much of the model that is.
        precision: its arithmetic.
        kind: how examples share rows, as the model allows.
    """

    roles: nn.Module
    parameters: dict[str, nn.Parameter]
    count: ParameterCount
    precision: Precision
    kind: Kind

    @property
    def attention(self) -> str:
        """Name of the attention function that the model has."""
        for module in self.roles.modules():
            name = getattr(getattr(module, "config", None), "_attn_implementation", None)
            if name:
                return str(name)
        return "its own"

    def place(self, world: World) -> str:
        """Where and how it trains, for the first line of a run."""
        device = torch.cuda.get_device_name() if world.device.type == "cuda" else "the CPU"
        processes = f"{world.size} process{'es' * (world.size > 1)}"
        return (
            f"on {device} in {processes}, {self.precision}, {self.kind} rows, "
            f"{self.attention} attention"
        )


@dataclass(frozen=True)
class Loaded:
    """A model of which it is chosen what is trained, before it has its roles.

    Args:
        model: bare, or inside peft, in training mode.
        precision: its arithmetic.
        kind: how examples share rows, as it allows.
        continued: it came with an adapter.
    """

    model: Any
    precision: Precision
    kind: Kind
    continued: bool = False

    def trainee(self, roles: nn.Module, world: World) -> Trainee:
        """With the roles that were built over it, ready to train."""
        parameters, count = trained_parameters(roles), count_parameters(roles)
        return Trainee(world.prepare(roles), parameters, count, self.precision, self.kind)


def average_for(config: TrainingConfig, trainee: Trainee) -> Average | None:
    """The recipe's running average of the weights, if it wants one."""
    return Average(trainee.parameters, config.ema) if config.ema else None
