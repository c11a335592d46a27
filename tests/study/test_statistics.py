"""Paired comparisons, worked by hand."""

from __future__ import annotations

import pytest

from luciola.specialist.study.statistics import difference, holm, mcnemar


def test_mcnemar_is_a_coin_thrown_for_each_question_that_differs() -> None:
    """1 against 5: 2·(C(6,0) + C(6,1))/2⁶ = 14/64; equal parts: 1."""
    assert mcnemar(5, 1) == mcnemar(1, 5) == pytest.approx(14 / 64)
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(10, 0) == pytest.approx(2 / 1024)


def test_the_difference_counts_what_only_one_gets_right() -> None:
    """Gained 3, lost 1 of 10: +0.2. Agresti and Min: centre 2/12, spread 5 - 4/12 = 4.667,
    half 1.96·√4.667/12 = 0.3528, so -0.186 to 0.520.
    """
    first = [True, False, False, False, True, True, True, False, False, False]
    second = [False, True, True, True, True, True, True, False, False, False]
    found = difference(first, second)
    assert (found.count, found.gained, found.lost) == (10, 3, 1)
    assert found.share == pytest.approx(0.2)
    assert (found.low, found.high) == (
        pytest.approx(-0.1862, abs=1e-4),
        pytest.approx(0.5195, abs=1e-4),
    )


def test_questions_without_a_verdict_count_for_neither() -> None:
    found = difference([None, True, False], [True, None, True])
    assert (found.count, found.gained, found.lost) == (1, 1, 0)
    assert difference([None], [None]).p == 1.0


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    """0.01·3, then max(0.03, 0.02·2), then max(0.04, 0.03·1)."""
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
