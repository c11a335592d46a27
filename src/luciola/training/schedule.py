"""The learning rate as a pure function of the step, so that there is no scheduler state to save."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then cosine (Loshchilov & Hutter 2017, eq. 5), linear or constant.

    Args:
        lr: highest rate.
        total_steps: optimizer steps of the whole run.
        kind: what it does after the warm-up.
        warmup: steps; below 1: share of all steps.
        floor: rate at the end, as a share of `lr`.
    """

    lr: float
    total_steps: int
    kind: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.0
    floor: float = 0.0

    @property
    def warmup_steps(self) -> int:
        """Steps of warm-up."""
        if self.warmup < 1:
            return round(self.warmup * self.total_steps)
        return int(self.warmup)

    def at(self, step: int) -> float:
        """The rate of 0-based optimizer step `step`; the first step of a warm-up is not 0."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return self.lr
        done = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, done)
        fall = 0.5 * (1 + math.cos(math.pi * done)) if self.kind == "cosine" else 1 - done
        return self.lr * (self.floor + (1 - self.floor) * fall)
