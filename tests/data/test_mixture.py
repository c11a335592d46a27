"""Epochs of several weighted sources."""

from __future__ import annotations

import numpy as np
import pytest

from luciola.data.mixture import epoch_order, epoch_rows
from luciola.errors import ConfigError


def test_a_weight_is_the_number_of_copies() -> None:
    assert epoch_rows([2, 3], [2, 1], seed=0, epoch=0).tolist() == [0, 1, 0, 1, 2, 3, 4]


def test_a_fraction_draws_another_subset_in_each_epoch() -> None:
    epochs = [epoch_rows([100], [0.5], seed=0, epoch=e).tolist() for e in range(20)]
    assert all(len(set(rows)) == 50 for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) == 20
    assert len({row for rows in epochs for row in rows}) == 100


def test_a_weight_above_one_holds_every_row_and_some_twice() -> None:
    rows = epoch_rows([4, 10], [0, 1.3], seed=0, epoch=0)
    counts = np.bincount(rows, minlength=14)
    assert counts[:4].tolist() == [0, 0, 0, 0]
    assert sorted(counts[4:].tolist()) == [1] * 7 + [2] * 3


def test_an_order_holds_the_epochs_rows_and_depends_on_seed_and_epoch() -> None:
    orders = [
        tuple(epoch_order([50], [1], seed=seed, epoch=epoch).tolist())
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len(set(orders)) == 3
    assert all(sorted(order) == list(range(50)) for order in orders)
    again = epoch_order([50], [1], seed=0, epoch=1)
    assert tuple(again.tolist()) == orders[1]


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match=r"data\.weight must be 0 or more"):
        epoch_rows([3], [weight], seed=0, epoch=0)


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="no row is left"):
        epoch_rows([3], [0.1], seed=0, epoch=0)
