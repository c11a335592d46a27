"""Several data sets in one epoch, each drawn as often as its weight says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luciola.data.order import noise, permutation
from luciola.errors import ConfigError


def epoch_rows(
    sizes: Sequence[int], weights: Sequence[float], *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """The rows of one epoch, unshuffled; every epoch has equally many.

    Weight w means ⌊w⌋ copies of every row, and one more of a share w - ⌊w⌋ of them: those whose
    hash of (seed, epoch, source, row) is smallest, so another subset in each epoch.

    Args:
        sizes: rows of each source. Row r of source s is number sum(sizes[:s]) + r, as if they were
            joined.
        weights: copies of each source per epoch, not negative.

    Raises: ConfigError if a weight is negative or not finite, or nothing is left.
    """
    starts = np.cumsum([0, *sizes])
    parts = []
    for source, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        if not 0 <= weight < math.inf:
            raise ConfigError(f"data.weight must be 0 or more, got {weight}")
        copies = math.floor(weight)
        extra = _subset(size, round((weight - copies) * size), seed, epoch, source)
        rows = np.concatenate([np.tile(np.arange(size, dtype=np.int64), copies), extra])
        parts.append(rows + starts[source])
    if not sum(map(len, parts)):
        raise ConfigError(
            f"no row is left of data with {list(sizes)} rows and weights {list(weights)}",
            remedy="Give at least one source a larger weight.",
        )
    return np.concatenate(parts)


def epoch_order(
    sizes: Sequence[int], weights: Sequence[float], *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """The rows of one epoch in the order in which they are trained; see `epoch_rows`."""
    rows = epoch_rows(sizes, weights, seed=seed, epoch=epoch)
    return rows[permutation(len(rows), seed, "order", epoch)]


def _subset(size: int, count: int, seed: int, epoch: int, source: int) -> NDArray[np.int64]:
    """(count,) int64 different rows of `size`, in ascending order."""
    order = np.argsort(noise(size, seed, "subset", epoch, source), kind="stable")
    return np.sort(order[:count]).astype(np.int64)
