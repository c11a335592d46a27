"""Mean and variance of all scores so far, and scores shaped by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import torch
from torch import Tensor

SCALING_EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class RunningMoments:
    """Mean and population variance of every value merged so far, in double precision.

    Before the first merge they say 0 and 1, and weigh nothing. Over several processes gather the
    values first.
    """

    mean: float = 0.0
    variance: float = 1.0
    count: float = 0.0

    @property
    def std(self) -> float:
        """The unbiased standard deviation; 1 before there are two values."""
        if self.count < 2:
            return 1.0
        return math.sqrt(self.variance * self.count / (self.count - 1))

    def merged(self, values: Tensor | Sequence[float]) -> Self:
        """The moments of the old values and the new ones together.

        Source: Chan et al. 1983, https://doi.org/10.1080/00031305.1983.10483115, the pairwise
        update. No values: nothing changes.
        """
        new = torch.as_tensor(values).detach().double().flatten()
        if not len(new):
            return self
        total = self.count + len(new)
        delta = new.mean().item() - self.mean
        squares = (
            self.variance * self.count
            + new.var(correction=0).item() * len(new)
            + delta**2 * self.count * len(new) / total
        )
        return type(self)(self.mean + delta * len(new) / total, squares / total, total)

    def state_dict(self) -> dict[str, float]:
        """Plain numbers, from which `from_state` makes equal moments."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, float]) -> Self:
        return cls(state["mean"], state["variance"], state["count"])


def shape_scores(
    scores: Tensor,
    moments: RunningMoments | None = None,
    *,
    center: bool = False,
    clip: float | None = None,
) -> Tensor:
    """(s − mean) / (std + 1.2e-7), then clamped to ±clip.

    Args:
        scores: any shape, one per answer or per token.
        moments: None: neither scaled nor centred. TRL merges the batch's own scores before.
        center: subtract the running mean too, not only divide.
        clip: largest size that a score may have afterwards; None: no limit.

    Raises: ValueError if it shall centre without moments, or clip is not positive.
    """
    if center and moments is None:
        raise ValueError("scores cannot be centred without running moments")
    if clip is not None and clip <= 0:
        raise ValueError(f"scores are clipped to ±clip, which must be positive, got {clip}")
    if moments is not None:
        mean = moments.mean if center else 0.0
        scores = (scores - mean) / (moments.std + SCALING_EPSILON)
    return scores if clip is None else scores.clamp(-clip, clip)
