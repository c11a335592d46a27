"""Figures about a reward model, worked by hand."""

from __future__ import annotations

import math

import pytest

from luciola.methods.judgement import (
    Bin,
    JudgedPair,
    calibration,
    calibration_error,
    judgement,
    length_bias,
)
from luciola.methods.normalization import gain_and_bias

LOG3 = math.log(3)
"""σ(log 3) = 3/4."""


def pair(lead: float, chosen: int = 5, rejected: int = 5, share: float = 1.0) -> JudgedPair:
    return JudgedPair(lead, 0.0, chosen, rejected, share)


def test_calibration_compares_what_was_predicted_with_what_was_true() -> None:
    """Four pairs at 75 %, of which three are right, two ties at 50 %, one pair at 100 %."""
    pairs = [pair(x) for x in (LOG3, LOG3, LOG3, -LOG3, 0.0, 0.0, 50.0)]
    bins = calibration(pairs, bins=2)
    assert bins == [
        Bin(pytest.approx(0.5), 0.5, 2),
        Bin(pytest.approx((4 * 0.75 + 1) / 5), pytest.approx(4 / 5), 5),
    ]
    fine = calibration(pairs)
    assert [(b.observed, b.pairs) for b in fine] == [(0.5, 2), (0.75, 4), (1.0, 1)]
    assert calibration_error(fine) == pytest.approx(0.0, abs=1e-9)


def test_calibration_error_weighs_bins_by_their_pairs() -> None:
    """One pair at 75 % that is wrong, three sure ones that are right: (0.75 + 3 · 0) / 4."""
    bins = calibration([pair(-LOG3), pair(60), pair(60), pair(60)])
    assert calibration_error(bins) == pytest.approx(0.75 / 4)


def test_length_bias_tells_the_data_from_the_model() -> None:
    """The longer answer is better in two of three pairs; the model always prefers the longer."""
    pairs = [pair(1, 9, 3), pair(2, 8, 3), pair(-1, 2, 7), pair(5, 4, 4)]
    found = length_bias(pairs)
    assert found["longer_is_better"] == pytest.approx(2 / 3)
    assert found["prefers_longer"] == 1.0
    assert (found["accuracy_longer"], found["accuracy_shorter"]) == (1.0, 0.0)


def test_scores_that_are_lengths_correlate_wholly() -> None:
    pairs = [JudgedPair(n, m, n, m) for n, m in ((3, 8), (5, 1), (2, 2))]
    assert length_bias(pairs)["score_length_correlation"] == pytest.approx(1.0)
    inverse = [JudgedPair(-n, -m, n, m) for n, m in ((3, 8), (5, 1))]
    assert length_bias(inverse)["score_length_correlation"] == pytest.approx(-1.0)
    assert length_bias([pair(1), pair(2)])["score_length_correlation"] is None
    assert length_bias([pair(1)])["prefers_longer"] is None


def test_pairs_of_one_list_count_together_as_one() -> None:
    """A pair that is right, and a list of three whose pairs are wrong: half, not a quarter."""
    found = judgement([pair(4.0), *[pair(-2.0, share=1 / 3)] * 3])
    assert found["accuracy"] == pytest.approx(0.5)
    assert found["mean_margin"] == pytest.approx((4 - 2) / 2)
    assert judgement([pair(0.0)])["accuracy"] == 0.0, "a tie is wrong"


def test_gain_and_bias_give_mean_0_and_variance_1() -> None:
    """1 and 5: mean 3, variance 4."""
    assert gain_and_bias([1.0, 5.0]) == (0.5, -1.5)
    assert gain_and_bias([2.0, 2.0]) == (1.0, -2.0)
