"""Whether two ways of asking differ: on the same questions, by what only one of them gets right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Difference:
    """Two lists of verdicts on the same questions.

    Args:
        count: questions that both have a verdict on.
        gained, lost: that only the second, or only the first, gets right.
        share: of the second minus that of the first, -1 to 1.
        low, high: its 95 % interval.
        p: of McNemar's exact test.
    """

    count: int
    gained: int
    lost: int
    share: float
    low: float
    high: float
    p: float


def difference(first: Sequence[bool | None], second: Sequence[bool | None]) -> Difference:
    """How much better the second is, (gained - lost) / count.

    The interval is that of Agresti and Min 2005 (half a question added to each of the four cells),
    https://doi.org/10.1002/sim.1781.
    """
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    count = len(both)
    gained = sum(b and not a for a, b in both)
    lost = sum(a and not b for a, b in both)
    if not count:
        return Difference(0, 0, 0, 0.0, -1.0, 1.0, 1.0)
    centre = (gained - lost) / (count + 2)
    spread = gained + lost + 1 - (gained - lost) ** 2 / (count + 2)
    half = NORMAL_95 * math.sqrt(spread) / (count + 2)
    share = (gained - lost) / count
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Difference(count, gained, lost, share, low, high, mcnemar(gained, lost))


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p: how often a fair coin divides the questions at least so unevenly.

    Source: McNemar 1947, https://doi.org/10.1007/BF02295996, with the binomial distribution.
    """
    total = gained + lost
    tail = sum(math.comb(total, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**total)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for how many were computed: Holm 1979, https://www.jstor.org/stable/4615733."""
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        highest = max(highest, min(1.0, ps[place] * (len(ps) - rank)))
        corrected[place] = highest
    return corrected
