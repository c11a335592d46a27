"""Packing: TRL's rule to the letter, and what every packing must keep."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from luciola.data.packing import (
    Piece,
    best_fit_decreasing,
    best_fit_decreasing_split,
    best_fit_whole,
    blocks,
    join,
    split_long,
    wrapped,
)
from luciola.types import Tokens
from reference_values import sources


@pytest.fixture(params=sources())
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    """TRL's packing of some sequences."""
    return request.param("rl/packing_trl")  # type: ignore[no-any-return]


def golden_samples(case: dict[str, Any]) -> list[Tokens]:
    """Its sequences; label -100 is a token that is not trained."""
    rows = zip(case["input_ids"], case["labels"], strict=True)
    return [Tokens(np.array(i, np.int32), np.array(x) != -100) for i, x in rows]


def labels(tokens: Tokens) -> list[int]:
    return np.where(tokens.trained, tokens.ids, -100).tolist()


def test_best_fit_decreasing_packs_as_trl_does(golden: Any) -> None:
    case = golden
    samples = [Tokens(one.ids[:8], one.trained[:8]) for one in golden_samples(case)]
    bins = best_fit_decreasing([len(sample) for sample in samples], 8)
    expected = case["results"]["bfd_8"]
    rows = [np.concatenate([samples[i].ids for i in members]).tolist() for members in bins]
    assert rows == expected["input_ids"]
    lengths = [[len(samples[i]) for i in members] for members in bins]
    assert lengths == expected["seq_lengths"]


def test_best_fit_decreasing_with_splitting_packs_as_trl_does(golden: Any) -> None:
    case = golden
    samples = golden_samples(case)
    bins = best_fit_decreasing_split([len(sample) for sample in samples], 8)
    expected = case["results"]["bfd_split_8"]
    assert [join(samples, pieces).ids.tolist() for pieces in bins] == expected["input_ids"]
    assert [[len(piece) for piece in pieces] for pieces in bins] == expected["seq_lengths"]


def test_one_stream_is_cut_as_trl_does(golden: Any) -> None:
    case = golden
    samples = golden_samples(case)
    expected = case["results"]["wrapped_8"]
    found = blocks(samples, 8)
    assert [block.ids.tolist() for block in found] == expected["input_ids"]
    # TRL keeps a label on a block's first token, which nothing predicts; here it is not trained
    assert [labels(block)[1:] for block in found] == [row[1:] for row in expected["labels"]]
    assert all(labels(block)[0] == -100 for block in found)


def test_an_item_goes_into_the_fullest_bin_with_room() -> None:
    """After 7 and 6 there is room 3 and 4; 4 fills the second, 3 the first, 1 opens a third."""
    assert best_fit_decreasing([3, 7, 1, 6, 4], 10) == [[1, 0], [3, 4], [2]]


def test_among_bins_with_equal_room_the_one_untouched_longest_is_taken() -> None:
    """16 and 11 leave room 4 and 9; then 8 leaves room 1 in bin 1, and after it 3 leaves room 1 in
    bin 0. Bin 1 has been untouched longer, so the first 1 goes there.
    """
    assert best_fit_decreasing([16, 11, 8, 3, 1, 1], 20) == [[0, 3, 5], [1, 2, 4]]


def test_packing_keeps_every_item_once_and_every_bin_within_its_capacity() -> None:
    draw = random.Random(0)
    lengths = [draw.randint(1, 100) for _ in range(1000)]
    bins = best_fit_decreasing(lengths, 128)
    assert sorted(i for members in bins for i in members) == list(range(1000))
    assert all(sum(lengths[i] for i in members) <= 128 for members in bins)
    firsts = [members[0] for members in bins]
    assert firsts == sorted(firsts, key=lambda i: -lengths[i])  # bins in order of creation
    assert len(bins) <= 1.02 * sum(lengths) / 128 + 1


def test_packing_agrees_with_a_plain_search() -> None:
    """The definition, spelt out in O(n²)."""
    draw = random.Random(1)
    for _ in range(50):
        lengths = [draw.randint(1, 12) for _ in range(40)]
        assert best_fit_decreasing(lengths, 16) == plain_search(lengths, 16)


def plain_search(lengths: list[int], capacity: int) -> list[list[int]]:
    bins: list[list[int]] = []
    touched: list[int] = []
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    for now, item in enumerate(order):
        rooms = [capacity - sum(lengths[i] for i in members) for members in bins]
        fitting = [b for b, room in enumerate(rooms) if room >= lengths[item]]
        if not fitting:
            bins.append([item])
            touched.append(now)
            continue
        best = min(fitting, key=lambda b: (rooms[b], touched[b]))
        bins[best].append(item)
        touched[best] = now
    return bins


def test_a_hundred_thousand_items_are_packed_in_a_moment() -> None:
    lengths = np.random.default_rng(0).integers(1, 4096, 100_000).tolist()
    start = time.perf_counter()
    best_fit_decreasing(lengths, 4096)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("length", [0, 9])
def test_a_length_that_no_bin_holds_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"item 1 has {length} tokens"):
        best_fit_decreasing([3, length], 8)


def test_long_items_are_split_in_order() -> None:
    expected = [Piece(0, 0, 4), Piece(0, 4, 8), Piece(0, 8, 9), Piece(1, 0, 4)]
    assert split_long([9, 4], 4) == expected


def test_a_stream_is_cut_across_items() -> None:
    assert wrapped([3, 2], 4) == [[Piece(0, 0, 3), Piece(1, 0, 1)], [Piece(1, 1, 2)]]


def test_a_short_last_block_can_be_dropped_but_never_the_only_one() -> None:
    samples = [Tokens(np.arange(5, dtype=np.int32), np.ones(5, np.bool_))]
    assert [len(block) for block in blocks(samples, 2)] == [2, 2, 1]
    masks = [block.trained.tolist() for block in blocks(samples, 2)]
    assert masks == [[False, True], [False, True], [False]]
    assert [len(block) for block in blocks(samples, 2, keep_rest=False)] == [2, 2]
    assert [len(block) for block in blocks(samples, 9, keep_rest=False)] == [5]


def test_what_is_too_long_is_alone_and_makes_no_room_for_others() -> None:
    """Two of 50 do not share a bin because a third item has 100; with no room each is alone."""
    assert best_fit_whole([50, 100, 50], 60) == [[1], [0], [2]]
    assert best_fit_whole([30, 100, 30], 60) == [[1], [0, 2]]
    assert best_fit_whole([1, 2], 0) == [[0], [1]]
