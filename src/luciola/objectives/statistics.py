"""Means, variances and whitening over the cells of a mask.

Left out: anything over several processes. `moment_sums` gives three numbers that can be added over
processes; `standardize` takes the mean and the variance that came out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from luciola.objectives.objective import cells

WHITENING_EPSILON = 1e-8


def masked_mean(values: Tensor, mask: Tensor, *, dim: int | None = None) -> Tensor:
    """Σ v·m / Σ m, over all cells or along `dim`.

    Args:
        values: any shape; padding may hold anything, NaN included.
        mask: bool, the shape of `values`, True where a cell counts.
        dim: the axis to average over; None: all of them.

    Raises: ValueError if the mask leaves nothing to average.
    """
    mask = cells(mask, values=values)
    total = values.masked_fill(~mask, 0.0)
    count = mask.sum() if dim is None else mask.sum(dim)
    if bool((count == 0).any()):
        raise ValueError("the mask leaves nothing to average" + _along(dim, count))
    return (total.sum() if dim is None else total.sum(dim)) / count


def masked_variance(values: Tensor, mask: Tensor, *, unbiased: bool = True) -> Tensor:
    """Σ (v − mean)²·m / n, times n / (n − 1) where unbiased; n = Σ m.

    Raises: ValueError if fewer than two cells count (one, for the biased variance).
    """
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean).square(), mask)
    if not unbiased:
        return variance
    return variance * _bessel(int(mask.sum()))


def whiten(
    values: Tensor,
    mask: Tensor | None = None,
    *,
    shift: bool = True,
    unbiased: bool = True,
    everywhere: bool = False,
) -> Tensor:
    """(v − mean) / sqrt(variance + 1e-8) over the cells that count; 0 in the others.

    Args:
        values: any shape.
        mask: bool, the shape of `values`; None: every cell counts.
        shift: False: the mean is added back, so that only the scale changes.
        unbiased: variance over n − 1 (TRL, trlx) instead of n (OpenAI's original of 2019).
        everywhere: transform the cells outside the mask as well instead of leaving them 0. TRL
            0.11 does.

    Raises: ValueError if fewer than two cells count (one, for the biased variance).
    """
    mask = cells(mask, values=values)
    mean = masked_mean(values, mask)
    variance = masked_variance(values, mask, unbiased=unbiased)
    within = torch.ones_like(mask) if everywhere else mask
    return standardize(values, within, mean=mean, variance=variance, shift=shift)


def standardize(
    values: Tensor, mask: Tensor, *, mean: Tensor, variance: Tensor, shift: bool = True
) -> Tensor:
    """`whiten` with a mean and a variance that are known, from several processes say."""
    scaled = (values - mean) * torch.rsqrt(variance + WHITENING_EPSILON)
    return (scaled if shift else scaled + mean).masked_fill(~mask, 0.0)


def moment_sums(values: Tensor, mask: Tensor) -> Tensor:
    """(n, Σ v, Σ v²) over the cells that count, as (3,) float64; the sums of parts add up."""
    kept = values.masked_fill(~cells(mask, values=values), 0.0).double()
    return torch.stack([mask.sum().double(), kept.sum(), kept.square().sum()])


def moments_of(sums: Tensor, *, unbiased: bool = True) -> tuple[Tensor, Tensor]:
    """Mean and variance, float64 scalars, of what `moment_sums` added up.

    Raises: ValueError if fewer than two cells count (one, for the biased variance).
    """
    count, total, squares = sums.unbind()
    if count < 1:
        raise ValueError("the mask leaves nothing to average")
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0.0)
    return mean, variance * _bessel(int(count)) if unbiased else variance


@dataclass(frozen=True)
class Summary:
    """What a log shows of many numbers; `std` is the biased one, as in trlx."""

    mean: float
    min: float
    max: float
    std: float


def summary(values: Tensor, mask: Tensor | None = None) -> Summary:
    """Mean, minimum, maximum and biased standard deviation of the cells that count.

    Raises: ValueError if none does.
    """
    mask = cells(mask, values=values)
    mean = masked_mean(values, mask)
    kept = values[mask]
    std = masked_variance(values, mask, unbiased=False).sqrt()
    return Summary(mean.item(), kept.min().item(), kept.max().item(), std.item())


def _bessel(count: int) -> float:
    if count < 2:
        raise ValueError(
            f"an unbiased variance needs two values and the mask leaves {count}: "
            "use a larger batch, or unbiased=False"
        )
    return count / (count - 1)


def _along(dim: int | None, count: Tensor) -> str:
    empty = int((count == 0).sum())
    return "" if dim is None else f" in {empty} of {count.numel()} rows along axis {dim}"
