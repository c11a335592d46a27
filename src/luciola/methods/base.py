"""What most methods do not need to say: the defaults of the seam in `training.method`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn


class Plain:
    """A method that takes every step, follows nothing up and evaluates nothing.

    Args:
        roles: the run's one module, prepared for its processes.
    """

    def __init__(self, roles: nn.Module) -> None:
        self.roles = roles

    def halve(self) -> Sequence[Any] | None:
        """Micro-batches cannot be made smaller."""
        return None

    def accepts(self, means: Mapping[str, float]) -> bool:
        """Every step is taken."""
        return True

    def after_step(self, means: Mapping[str, float]) -> None:
        """Nothing follows a step."""

    def figures(self) -> Mapping[str, float]:
        """None besides the means."""
        return {}

    def evaluate(self) -> Mapping[str, float]:
        """Nothing is held out."""
        return {}

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """By the evaluation loss, where there is one."""
        return figures.get("eval/loss")

    def best(self, badness: float) -> Mapping[str, float]:
        """The lowest evaluation loss."""
        return {"eval_loss": badness}
