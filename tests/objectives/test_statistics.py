"""Means, variances and whitening of the cells that count."""

from __future__ import annotations

import math

import pytest
import torch

from luciola.objectives.statistics import (
    masked_mean,
    masked_variance,
    moment_sums,
    moments_of,
    standardize,
    summary,
    whiten,
)

NAN = math.nan
VALUES = torch.tensor([[1.0, 2.0, NAN], [6.0, NAN, NAN]])
MASK = torch.tensor([[True, True, False], [True, False, False]])
"""1, 2 and 6 count: mean 3, squared differences 4 + 1 + 9 = 14, variance 7 (unbiased) or 14/3."""


def test_mean_and_variance_see_only_the_cells_that_count() -> None:
    assert masked_mean(VALUES, MASK).item() == pytest.approx(3.0)
    assert masked_variance(VALUES, MASK).item() == pytest.approx(7.0)
    assert masked_variance(VALUES, MASK, unbiased=False).item() == pytest.approx(14 / 3)


def test_mean_along_an_axis_divides_by_each_row_s_own_count() -> None:
    assert masked_mean(VALUES, MASK, dim=1).tolist() == [1.5, 6.0]


def test_whitened_cells_have_mean_zero_and_variance_one_over_the_whole_batch() -> None:
    """The axis is the batch's: a row of one would have no variance of its own."""
    white = whiten(VALUES, MASK)
    root = math.sqrt(7)
    assert white[MASK].tolist() == pytest.approx([-2 / root, -1 / root, 3 / root])
    biased = whiten(VALUES, MASK, unbiased=False)
    root = math.sqrt(14 / 3)
    assert biased[MASK].tolist() == pytest.approx([-2 / root, -1 / root, 3 / root])


def test_whitening_leaves_zero_where_nothing_counts() -> None:
    assert whiten(VALUES, MASK)[~MASK].tolist() == [0.0] * 3
    assert whiten(VALUES, MASK, shift=False)[~MASK].tolist() == [0.0] * 3


def test_whitening_without_shift_adds_the_mean_back() -> None:
    difference = whiten(VALUES, MASK, shift=False) - whiten(VALUES, MASK)
    assert difference[MASK].tolist() == pytest.approx([3.0] * 3)


def test_whitening_everywhere_transforms_padding_with_the_statistics_of_what_counts() -> None:
    values = VALUES.nan_to_num(3.0)
    white = whiten(values, MASK, everywhere=True)
    assert white[~MASK].tolist() == pytest.approx([0.0] * 3)
    assert whiten(values + MASK.logical_not(), MASK, everywhere=True)[0, 2].item() == pytest.approx(
        1 / math.sqrt(7)
    )


def test_equal_values_whiten_to_zero() -> None:
    assert whiten(torch.full((4,), 2.0)).tolist() == [0.0] * 4


def test_one_value_has_no_unbiased_variance() -> None:
    one = torch.tensor([[True, False, False], [False, False, False]])
    with pytest.raises(ValueError, match="needs two values and the mask leaves 1"):
        whiten(VALUES, one)
    assert whiten(VALUES, one, unbiased=False)[0, 0].item() == 0.0


def test_an_empty_mask_or_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to average"):
        masked_mean(VALUES, torch.zeros_like(MASK))
    rows = torch.tensor([[True, True, False], [False, False, False]])
    with pytest.raises(ValueError, match="in 1 of 2 rows along axis 1"):
        masked_mean(VALUES, rows, dim=1)
    with pytest.raises(ValueError, match="nothing to average"):
        moments_of(moment_sums(VALUES, torch.zeros_like(MASK)))


def test_sums_of_two_processes_whiten_as_one() -> None:
    sums = moment_sums(VALUES[:1], MASK[:1]) + moment_sums(VALUES[1:], MASK[1:])
    mean, variance = moments_of(sums)
    assert (mean.item(), variance.item()) == pytest.approx((3.0, 7.0))
    parts = [
        standardize(VALUES[row], MASK[row], mean=mean, variance=variance)
        for row in range(len(MASK))
    ]
    assert torch.stack(parts).tolist() == [
        pytest.approx(row) for row in whiten(VALUES, MASK).tolist()
    ]


def test_biased_moments_of_sums() -> None:
    assert moments_of(moment_sums(VALUES, MASK), unbiased=False)[1].item() == pytest.approx(14 / 3)


def test_a_summary_has_the_biased_deviation() -> None:
    found = summary(VALUES, MASK)
    assert (found.mean, found.min, found.max) == pytest.approx((3.0, 1.0, 6.0))
    assert found.std == pytest.approx(math.sqrt(14 / 3))
    assert summary(torch.tensor([5.0])).std == 0.0
