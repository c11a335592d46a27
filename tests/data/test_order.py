"""Randomness by address."""

from __future__ import annotations

import numpy as np

from luciola.data.order import address_hash, noise, permutation


def test_an_order_is_a_permutation_that_follows_from_its_address() -> None:
    order = permutation(1000, 0, "order", 3)
    assert sorted(order.tolist()) == list(range(1000))
    assert order.tolist() == permutation(1000, 0, "order", 3).tolist()
    assert order.tolist() != permutation(1000, 0, "order", 4).tolist()
    assert order.dtype == np.int64


def test_orders_never_change_between_versions() -> None:
    """Numbers that a resumed run relies on, taken when this was written."""
    assert address_hash(0, "order", 0) == 2305912966808006169
    assert permutation(8, 0, "order", 0).tolist() == [4, 0, 5, 1, 3, 6, 7, 2]


def test_a_rows_noise_does_not_depend_on_how_many_rows_there_are() -> None:
    assert noise(10, "a").tolist() == noise(1000, "a")[:10].tolist()


def test_every_place_is_equally_likely() -> None:
    """Row 0's place in 2000 orders of 10: 200 each, give or take 5 standard deviations (13)."""
    places = [int(np.flatnonzero(permutation(10, "x", i) == 0)[0]) for i in range(2000)]
    counts = np.bincount(places, minlength=10)
    assert abs(counts - 200).max() < 67
