"""Steps that go through the data epoch by epoch, each in an order of its own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class Epochs(ABC):
    """The arithmetic of a plan's steps: a position is a step number, the rest follows from it.

    A plan has these fields:
        batch: examples per step over all processes.
        epochs: passes, fractions allowed.
        max_steps: stop after this many steps; 0: after `epochs`.
    """

    batch: int
    epochs: float
    max_steps: int

    @abstractmethod
    def taken(self, epoch: int) -> NDArray[np.int64]:
        """Numbers of an epoch's examples, in its order; as many in every epoch."""

    @cached_property
    def steps_per_epoch(self) -> int:
        """Steps in one pass; the last may be smaller than `batch`."""
        return math.ceil(len(self.taken(0)) / self.batch)

    def __len__(self) -> int:
        steps = max(1, round(self.epochs * self.steps_per_epoch))
        return min(steps, self.max_steps) if self.max_steps else steps

    def epoch_of(self, step: int) -> int:
        """The pass that a step is part of, from 0."""
        return step // self.steps_per_epoch

    def numbers(self, step: int) -> list[int]:
        """The examples of a step, over all processes."""
        first = step % self.steps_per_epoch * self.batch
        chosen = self.taken(self.epoch_of(step))[first : first + self.batch]
        return [int(number) for number in chosen]
