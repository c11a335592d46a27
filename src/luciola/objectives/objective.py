"""What every loss returns, and the checks that every loss makes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """Sums over the cells that count; whoever knows the whole batch divides.

    Args:
        total: scalar to be minimised; carries the gradient.
        count: scalar, how many cells count: the denominator of `metrics`, and of `total` where the
            loss takes no weights.
        metrics: figures by name, each a detached scalar sum over the same cells.
        maxima: figures that are a maximum over the cells instead of a sum; detached.
    """

    total: Tensor
    count: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    maxima: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def mean(self) -> Tensor:
        """`total` divided by `count`; 0 where nothing counts. For a batch that is never split."""
        return self.total / self.count.clamp(min=1)

    def means(self) -> dict[str, Tensor]:
        """Each of `metrics` divided by `count`; 0 where nothing counts."""
        return {name: total / self.count.clamp(min=1) for name, total in self.metrics.items()}


def cells(mask: Tensor | None, **tensors: Tensor) -> Tensor:
    """The bool mask itself, or one that is True everywhere, for tensors of one shape.

    Raises: ValueError if the shapes differ, or the mask is not bool (`~` of a mask of 0 and 1 is
        never False).
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if mask is not None:
        shapes["mask"] = tuple(mask.shape)
    if len(set(shapes.values())) > 1:
        raise ValueError(f"these must have one shape: {_listed(shapes)}")
    if mask is None:
        return torch.ones_like(next(iter(tensors.values())), dtype=torch.bool)
    if mask.dtype != torch.bool:
        raise ValueError(f"the mask is {mask.dtype}; make it bool, True where a cell counts")
    return mask


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
