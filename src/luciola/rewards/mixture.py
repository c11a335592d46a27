"""Several rewards as one: a weighted sum, each part checked, timed and logged by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from luciola.rewards.checking import checked_scores
from luciola.rewards.component import Component, Score
from luciola.types import Answered, Scored


@dataclass(frozen=True)
class Weighted:
    """A component and its weight in the sum."""

    component: Component
    weight: float = 1.0


class Mixture:
    """A weighted sum; `luciola.types.Reward`.

    What waits for something outside runs in threads, the rest meanwhile one after the other.

    Args:
        parts: the components; names that occur twice are numbered.
    """

    def __init__(self, parts: Sequence[Weighted]) -> None:
        self.parts = list(parts)
        self.names = _distinct([part.component.name for part in parts])

    def score(self, answered: Sequence[Answered]) -> Scored:
        """The sums, the parts before their weights, and the seconds of each.

        Raises: RewardError naming component and sample.
        """
        if not answered:
            return Scored([], {name: [] for name in self.names})
        results = self._results(answered)
        by_part = [result for result, _ in results]
        weights = [part.weight for part in self.parts]
        return Scored(
            scores=[
                _sum(row, weights, answered[i]) for i, row in enumerate(zip(*by_part, strict=True))
            ],
            parts={
                name: [_total(score) for score in result]
                for name, result in zip(self.names, by_part, strict=True)
            },
            seconds={name: s for name, (_, s) in zip(self.names, results, strict=True)},
        )

    def _results(self, answered: Sequence[Answered]) -> list[tuple[list[Score], float]]:
        waiting = [part for part in self.parts if part.component.waits]
        with ThreadPoolExecutor(max(len(waiting), 1)) as pool:
            futures: dict[int, Future[tuple[list[Score], float]]] = {
                i: pool.submit(_timed, part.component, answered)
                for i, part in enumerate(self.parts)
                if part.component.waits and len(self.parts) > 1
            }
            return [
                _timed(part.component, answered) if i not in futures else futures[i].result()
                for i, part in enumerate(self.parts)
            ]


def _timed(component: Component, answered: Sequence[Answered]) -> tuple[list[Score], float]:
    began = time.perf_counter()
    scores = checked_scores(component, answered)
    return scores, time.perf_counter() - began


def _sum(row: Sequence[Score], weights: Sequence[float], one: Answered) -> Score:
    """A number where all parts give numbers; else per token, numbers going to the last token."""
    if all(isinstance(score, float) for score in row):
        numbers = [score for score in row if isinstance(score, float)]
        return sum((w * s for w, s in zip(weights, numbers, strict=True)), 0.0)
    total = [0.0] * one.token_count
    for weight, score in zip(weights, row, strict=True):
        if isinstance(score, float):
            total[-1] += weight * score
        else:
            total = [t + weight * s for t, s in zip(total, score, strict=True)]
    return tuple(total)


def _total(score: Score) -> float:
    return score if isinstance(score, float) else sum(score)


def _distinct(names: Sequence[str]) -> list[str]:
    return [f"{n}.{i + 1}" if names.count(n) > 1 else n for i, n in enumerate(names)]
