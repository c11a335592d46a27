"""What reward models and DPO have in common: steps over comparisons, and their evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from luciola.errors import DataError
from luciola.methods.base import Plain
from luciola.methods.comparisons import fingerprint
from luciola.methods.pairing import ComparisonBatch, ComparisonPlan
from luciola.methods.stream import halved
from luciola.training.method import Term
from luciola.training.step import Sums
from luciola.training.world import World


class Comparing(Plain):
    """Training on the comparisons of a plan; the loss is the subclass's.

    Args:
        roles: the run's one module, prepared for its processes.
        plan: this process's micro-batches by step.
        world: the processes.
    """

    def __init__(self, roles: nn.Module, plan: ComparisonPlan, world: World) -> None:
        super().__init__(roles)
        self.plan = plan
        self.world = world
        self.position = 0
        self._fingerprint = fingerprint(plan.data)

    def next_step(self) -> list[ComparisonBatch] | None:
        """The micro-batches of the next step."""
        if self.position >= len(self.plan):
            return None
        batches = self.plan.step(self.position)
        self.position += 1
        return batches

    def halve(self) -> list[ComparisonBatch] | None:
        """The last step again, in rows half as long; a comparison's answers stay together."""
        batches = self.plan.step(self.position - 1)
        capacity = halved((one.batch.ids.numel(), one.comparisons) for one in batches)
        if capacity is None:
            return None
        self.plan = replace(self.plan, capacity=capacity)
        return self.plan.step(self.position - 1)

    def weights(self, batch: ComparisonBatch) -> dict[str, float]:
        """Comparisons divide the loss; all tokens are counted for the speed."""
        tokens = batch.batch.num_tokens if batch.comparisons else 0
        return {
            "comparisons": float(batch.comparisons),
            "answers": float(len(batch.answers)),
            "tokens": float(tokens),
        }

    def loss(self, batch: ComparisonBatch) -> Mapping[str, Term]:
        """The terms of one micro-batch."""
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        """The loss and its figures on the held-out comparisons; empty where there are none."""
        held_out = self.plan.data.held_out
        return self.figures_on(held_out) if len(held_out) else {}

    @torch.no_grad()
    def figures_on(self, numbers: Iterable[int]) -> dict[str, float]:
        """The means of all terms over some comparisons, named eval/…"""
        batches = self.plan.lay_out(numbers)
        totals = self.world.total(self.weights(batch) for batch in batches)
        sums = Sums()
        for batch in batches:
            sums.add(self.loss(batch))
        means = self.world.means(sums.terms, totals)
        return {f"eval/{name}": value for name, value in means.items()}

    def describe(self, batches: Sequence[ComparisonBatch]) -> str:
        """File and line of the comparisons in these micro-batches."""
        origins = [origin for batch in batches for origin in batch.origins]
        shown = ", ".join(origins[:4])
        return shown if len(origins) <= 4 else f"{shown} and {len(origins) - 4} more"

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, and which data they are."""
        return {
            "position": self.position,
            "data": self._fingerprint,
            "micro_tokens": self.plan.capacity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position.

        Raises: DataError if the comparisons are not those that the run began with.
        """
        if state["data"] != self._fingerprint:
            raise DataError(
                "the comparisons have changed since this run began",
                remedy="Put the old data back to go on, or begin again with --fresh.",
            )
        self.position = state["position"]
        capacity = state.get("micro_tokens", self.plan.capacity)
        self.plan = replace(self.plan, capacity=min(self.plan.capacity, capacity))
