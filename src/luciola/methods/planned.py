"""What the methods have in common whose steps follow from a plan: a position, and which data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import nn

from luciola.data.rows import Row
from luciola.errors import DataError
from luciola.methods.base import Plain
from luciola.methods.stream import halved
from luciola.runs.folder import changed
from luciola.training.step import MicroBatchTooLargeError, release_memory
from luciola.training.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")


class Planned(Plain):
    """Training on the micro-batches of a plan; weights and loss are the subclass's.

    Args:
        roles: the run's one module, prepared for its processes.
        plan: this process's micro-batches by step; see `methods.epochs`. Each has a `batch` and the
            `origins` of its examples.
        world: the processes.
    """

    data_name = "training data"
    """How the user calls what the plan goes through."""

    def __init__(self, roles: nn.Module, plan: Any, world: World) -> None:
        super().__init__(roles)
        self.plan = plan
        self.world = world
        self.position = 0

    def next_step(self) -> list[Any] | None:
        """The micro-batches of the next step."""
        if self.position >= len(self.plan):
            return None
        self.position += 1
        return self._last_step()

    def halve(self) -> list[Any] | None:
        """The last step again, in rows half as long; what is compared stays together."""
        return self._last_step() if self._cut(self._last_step()) else None

    def _cut(self, rows: Iterable[Any]) -> bool:
        """From now on rows are half as long, in every process; False: each of these holds one
        example already.
        """
        if (capacity := self.world.largest(halved(map(_size, rows)))) is None:
            return False
        self.limit(capacity)
        return True

    def limit(self, capacity: int) -> None:
        """From now on rows have at most `capacity` tokens."""
        self.plan = replace(self.plan, capacity=min(self.plan.capacity, capacity))

    def without_gradients(
        self, lay_out: Callable[[], Iterable[Any]], read: Callable[[Iterable[Any]], T]
    ) -> T:
        """What `read` makes of this process's rows; where memory runs out in any process, in rows
        half as long, as all later ones are.

        Args:
            lay_out: the rows, of as many tokens as the plan has at the time.
            read: asks the model; does not talk to the other processes.

        Raises: MicroBatchTooLargeError where an example by itself is too much.
        """
        while True:
            found, full = _attempt(read, lay_out())
            if not self.world.any(bool(full)):
                return found[0]
            if not self._cut(lay_out()):
                raise MicroBatchTooLargeError(full or "in another process")
            size = self.plan.capacity
            log.info("out of memory without gradients: %d tokens a row, same result", size)
            release_memory()

    def _last_step(self) -> list[Any]:
        batches: list[Any] = self.plan.step(self.position - 1)
        return batches

    def describe(self, batches: Sequence[Any]) -> str:
        """File and line of the examples in these micro-batches."""
        return some_of(str(origin) for batch in batches for origin in batch.origins)

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, and which data they are."""
        return {
            "position": self.position,
            "data": self._fingerprint,
            "micro_tokens": self.plan.capacity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position.

        Raises: DataError if the data are not those that the run began with.
        """
        if state["data"] != self._fingerprint:
            raise data_changed(self.data_name)
        self.position = state["position"]
        self.limit(state.get("micro_tokens", self.plan.capacity))

    @cached_property
    def _fingerprint(self) -> str:
        found: str = self.plan.fingerprint()
        return found


def _attempt(read: Callable[[Iterable[Any]], T], rows: Iterable[Any]) -> tuple[list[T], str]:
    """What was read, or nothing and what torch said: its error holds the frames, and with them the
    tensors that must go.
    """
    try:
        with torch.no_grad():
            return [read(rows)], ""
    except torch.OutOfMemoryError as error:
        return [], str(error) or "out of memory"


def _size(one: Any) -> tuple[int, int]:
    """Tokens of a row or a micro-batch, and how many examples it holds that could be parted."""
    if isinstance(one, Row):
        return one.num_tokens, len(one.examples)
    return one.batch.ids.numel(), len(one.origins)


def data_changed(name: str) -> DataError:
    """The error for a run that would go on with other data than it began with."""
    return changed(name)


def some_of(origins: Iterable[str], most: int = 4) -> str:
    """The first of them, and how many more there are."""
    listed = list(origins)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"
