"""What the methods have in common whose steps follow from a plan: a position, and which data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from torch import nn

from luciola.errors import DataError
from luciola.methods.base import Plain
from luciola.methods.stream import halved
from luciola.training.world import World


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
        sizes = [(one.batch.ids.numel(), len(one.origins)) for one in self._last_step()]
        if (capacity := self.world.largest(halved(sizes))) is None:
            return None
        self.limit(capacity)
        return self._last_step()

    def limit(self, capacity: int) -> None:
        """From now on rows have at most `capacity` tokens."""
        self.plan = replace(self.plan, capacity=min(self.plan.capacity, capacity))

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
            raise DataError(
                f"the {self.data_name} have changed since this run began",
                remedy="Put the old data back to go on, or begin again with --fresh.",
            )
        self.position = state["position"]
        self.limit(state.get("micro_tokens", self.plan.capacity))

    @cached_property
    def _fingerprint(self) -> str:
        found: str = self.plan.fingerprint()
        return found


def some_of(origins: Iterable[str], most: int = 4) -> str:
    """The first of them, and how many more there are."""
    listed = list(origins)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"
