"""The seam between the one loop and the methods: where batches come from, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

B = TypeVar("B")


@dataclass(frozen=True)
class Term:
    """A sum over what counts, divided by the step's total of the weight `per`.

    Args:
        sum: scalar; carries the gradient if it is part of the objective.
        per: which weight of `Method.weights` divides it ("trained_tokens", "pairs", ...): the terms
            of one loss may have different denominators.
        scale: factor in the objective; 0: a figure only.
    """

    sum: Tensor
    per: str
    scale: float = 1.0


class Method(Protocol[B]):
    """What differs between the methods. Everything that must outlive a step is in `state_dict`."""

    @property
    def roles(self) -> nn.Module:
        """The one module of the run, prepared for its processes."""
        ...

    def next_step(self) -> Sequence[B] | None:
        """This process's micro-batches of the next step, as many as every other process has; None:
        finished.
        """
        ...

    def halve(self) -> Sequence[B] | None:
        """The step that `next_step` gave last, in micro-batches half as large, as all later ones,
        and as many in every process; None: each holds one example already.
        """
        ...

    def weights(self, batch: B) -> Mapping[str, float]:
        """What each term is divided by, from masks alone; summed over micro-batches and
        processes.
        """
        ...

    def loss(self, batch: B) -> Mapping[str, Term]:
        """One forward pass of `roles`."""
        ...

    def accepts(self, means: Mapping[str, float]) -> bool:
        """False: no optimizer step. Decided on reduced figures, so that all processes agree."""
        ...

    def after_step(self, means: Mapping[str, float]) -> None:
        """Controllers, target networks, early stops; before the checkpoint, so that it is in the
        checkpoint.
        """
        ...

    def figures(self) -> Mapping[str, float]:
        """Figures of the step just taken that are no sums over its batch (a rollout's scores, a
        controller's coefficient, seconds), the same in every process; logged beside the means.
        """
        ...

    def evaluate(self) -> Mapping[str, float]:
        """Figures on held-out data, named eval/…, reduced over processes; empty: there are none."""
        ...

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """How bad an evaluation is, for keeping the best weights and for patience; None: the last
        weights are the result.
        """
        ...

    def best(self, badness: float) -> Mapping[str, float]:
        """The figure behind the least badness that `judge` gave, by its name in the report."""
        ...

    def describe(self, batches: Sequence[B]) -> str:
        """Where these examples came from, for an error message."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors, nested in dicts and lists."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
