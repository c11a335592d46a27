"""Running moments, and scores shaped by them."""

from __future__ import annotations

import json
import statistics

import pytest
import torch

from luciola.objectives.moments import RunningMoments, shape_scores

FIRST, SECOND = [1.0, 2.0, 6.0], [-3.0, 4.0]


def test_moments_of_batches_are_those_of_all_values_together() -> None:
    moments = RunningMoments().merged(FIRST).merged(torch.tensor(SECOND))
    together = FIRST + SECOND
    assert moments.count == 5
    assert moments.mean == pytest.approx(statistics.mean(together))
    assert moments.variance == pytest.approx(statistics.pvariance(together))
    assert moments.std == pytest.approx(statistics.stdev(together))


def test_before_there_are_two_values_the_deviation_is_one() -> None:
    assert RunningMoments().std == 1.0
    assert RunningMoments().merged([5.0]).std == 1.0
    assert RunningMoments().merged([5.0]).mean == 5.0


def test_no_values_change_nothing() -> None:
    moments = RunningMoments().merged(FIRST)
    assert moments.merged([]) == moments


def test_moments_come_back_from_json_exactly() -> None:
    moments = RunningMoments().merged([0.1, 0.7, 1 / 3])
    assert RunningMoments.from_state(json.loads(json.dumps(moments.state_dict()))) == moments


def test_scores_are_divided_and_centred_only_where_asked() -> None:
    """1, 2, 6: mean 3, unbiased deviation √7."""
    moments, scores = RunningMoments().merged(FIRST), torch.tensor(FIRST)
    assert shape_scores(scores, moments).tolist() == pytest.approx(
        [score / 7**0.5 for score in FIRST]
    )
    centred = shape_scores(scores, moments, center=True)
    assert centred.tolist() == pytest.approx([(score - 3) / 7**0.5 for score in FIRST])


def test_scores_are_clipped_on_both_sides_after_scaling() -> None:
    scores = torch.tensor([-20.0, 0.5, 20.0])
    assert shape_scores(scores, clip=1.0).tolist() == [-1.0, 0.5, 1.0]
    scaled = shape_scores(scores, RunningMoments(variance=100.0, count=1e9), clip=1.0)
    assert scaled.tolist() == pytest.approx([-1.0, 0.05, 1.0])


def test_equal_scores_stay_finite() -> None:
    scores = torch.full((3,), 2.0)
    shaped = shape_scores(scores, RunningMoments().merged(scores), center=True)
    assert shaped.tolist() == [0.0] * 3


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="without running moments"):
        shape_scores(torch.zeros(2), center=True)
    with pytest.raises(ValueError, match="must be positive, got 0"):
        shape_scores(torch.zeros(2), clip=0)
