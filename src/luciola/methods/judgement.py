"""How far a reward model can be trusted: accuracy, calibration, and whether it likes long answers.

Pure functions of scores and lengths, in numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
"""Bins of the predicted probability, from a half to one."""


@dataclass(frozen=True)
class JudgedPair:
    """Raw scores of the better and the worse answer of a pair, and their lengths in tokens.

    `share`: weight of the pair; the pairs of one comparison add up to 1.
    """

    chosen: float
    rejected: float
    chosen_tokens: int
    rejected_tokens: int
    share: float = 1.0


@dataclass(frozen=True)
class Bin:
    """Pairs whose winner was predicted with about the same probability.

    Args:
        predicted: mean probability of the answer that scores higher, σ(|difference|), 0.5 to 1.
        observed: how often that answer was indeed the better one.
        pairs: how many pairs these are.
    """

    predicted: float
    observed: float
    pairs: int


def calibration(pairs: Sequence[JudgedPair], bins: int = BINS) -> list[Bin]:
    """Predicted against observed, in bins of equal width; empty bins are left out.

    A tie predicts a half, and counts as half right.
    """
    lead = _lead(pairs)
    predicted = 1 / (1 + np.exp(-np.abs(lead)))
    observed = np.where(lead == 0, 0.5, lead > 0)
    index = np.minimum(((predicted - 0.5) * 2 * bins).astype(int), bins - 1)
    return [
        Bin(float(predicted[here].mean()), float(observed[here].mean()), int(here.sum()))
        for here in (index == number for number in range(bins))
        if here.any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Σ n_b · |predicted - observed| / Σ n_b: the expected calibration error, 0 to 0.5.

    Source: Naeini et al. 2015; Guo et al. 2017, eq. 3, https://arxiv.org/abs/1706.04599.
    """
    total = sum(b.pairs for b in bins)
    return sum(b.pairs * abs(b.predicted - b.observed) for b in bins) / max(total, 1)


def length_bias(pairs: Sequence[JudgedPair]) -> dict[str, float | None]:
    """Whether scores follow lengths, beside whether the data do.

    Returns: score_length_correlation: Pearson's, over all answers, each once per pair;
        longer_is_better: share of pairs whose better answer is the longer one (what judging by
        length alone would reach); prefers_longer: share of pairs whose longer answer scores higher;
        accuracy_longer and accuracy_shorter: accuracy where the better answer is the longer one,
        and where it is the shorter one. None where there is nothing to count; pairs of equal length
        count for the correlation only.
    """
    scores = np.array([s for p in pairs for s in (p.chosen, p.rejected)])
    tokens = np.array([n for p in pairs for n in (p.chosen_tokens, p.rejected_tokens)])
    shares = np.array([p.share for p in pairs])
    longer = np.array([p.chosen_tokens > p.rejected_tokens for p in pairs])
    shorter = np.array([p.chosen_tokens < p.rejected_tokens for p in pairs])
    right, wrong = _lead(pairs) > 0, _lead(pairs) < 0
    differ = longer | shorter
    return {
        "score_length_correlation": _correlation(scores, tokens),
        "longer_is_better": _share(longer, shares, differ),
        "prefers_longer": _share((longer & right) | (shorter & wrong), shares, differ),
        "accuracy_longer": _share(right, shares, longer),
        "accuracy_shorter": _share(right, shares, shorter),
    }


def judgement(pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    """All figures of a set of pairs, for a report."""
    shares = np.array([p.share for p in pairs])
    lead = _lead(pairs)
    return {
        "pairs": len(pairs),
        "accuracy": _share(lead > 0, shares, np.ones(len(pairs), bool)),
        "mean_margin": float((lead * shares).sum() / shares.sum()),
        "calibration_error": calibration_error(calibration(pairs)),
        **length_bias(pairs),
    }


def _lead(pairs: Sequence[JudgedPair]) -> NDArray[np.float64]:
    return np.array([p.chosen - p.rejected for p in pairs])


def _share(
    of: NDArray[np.bool_], weights: NDArray[np.float64], among: NDArray[np.bool_]
) -> float | None:
    """Weight of `of` and `among` as a share of the weight of `among`."""
    total = weights[among].sum()
    return float(weights[of & among].sum() / total) if total else None


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    if one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
