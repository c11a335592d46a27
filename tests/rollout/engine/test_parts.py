"""The engine's smaller parts: segments, stops, matchers, buckets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from luciola.rollout.engine.choosing import behind_padding, unpacked
from luciola.rollout.engine.decoding import length_bucket, row_bucket
from luciola.rollout.engine.matching import PerRow
from luciola.rollout.engine.segments import Segment, chunks
from luciola.rollout.engine.stops import first_stop
from luciola.rollout.noise import gumbel


def test_segments_are_cut_into_chunks_of_at_most_so_many_tokens() -> None:
    segments = [Segment(0, 5, (1, 2, 3)), Segment(1, 0, (4, 5, 6, 7, 8, 9))]
    assert list(chunks(segments, 4)) == [
        [Segment(0, 5, (1, 2, 3)), Segment(1, 0, (4,))],
        [Segment(1, 1, (5, 6, 7, 8))],
        [Segment(1, 5, (9,))],
    ]


def test_a_stop_string_is_found_at_the_token_that_completes_it() -> None:
    """ "stop" over tokens of two characters: a stop string may begin in what was seen before."""
    text = "aastopst" + "b" * 60 + "zzendz!"

    def decode(ids: object) -> str:
        return "".join(text[2 * i : 2 * i + 2] for i in ids)  # type: ignore[attr-defined]

    ids = range(len(text) // 2 + 1)
    assert first_stop(ids[:2], 1, ("stop",), decode) is None
    assert first_stop(ids[:5], 2, ("stop",), decode) == 3
    assert first_stop(ids, 34, ("zend", "no"), decode) == 37
    assert first_stop(ids, 4, ("missing",), decode) is None


def test_tokens_are_put_behind_padding() -> None:
    ids = torch.tensor([[1, 2, 3, 9], [4, 9, 9, 9]])
    whole = behind_padding(ids, torch.tensor([0, 0]), torch.tensor([3, 1]))
    assert whole.tolist() == [[-1, 1, 2, 3], [-1, -1, -1, 4]]
    answers = behind_padding(ids, torch.tensor([2, 1]), torch.tensor([3, 1]))
    assert answers.tolist() == [[-1, -1, -1, 3], [-1, -1, -1, -1]]


def test_bits_become_tokens_in_the_order_of_xgrammar() -> None:
    words = torch.tensor([[1 | 1 << 5, -(1 << 31), 1]], dtype=torch.int32)
    assert unpacked(words, 64).nonzero()[:, 1].tolist() == [0, 5, 63]


def test_buckets_hold_what_they_are_for_and_waste_little() -> None:
    for rows in range(1, 257):
        bucket = row_bucket(rows, 256)
        assert rows <= bucket <= max(rows * 1.5, rows + 7)
    assert [row_bucket(rows, 5) for rows in (1, 3, 5)] == [1, 4, 5]
    assert [length_bucket(length, 1000) for length in (1, 129, 513)] == [128, 256, 1000]


def test_noise_takes_a_position_for_each_row() -> None:
    keys = torch.tensor([3, 3, -7])
    together = gumbel(keys, torch.tensor([0, 4, 11]), 50)
    for row, position in enumerate((0, 4, 11)):
        assert torch.equal(together[row], gumbel(keys, position, 50)[row])


class Counting:
    """Allows the token that is as large as the number of tokens before it."""

    def start(self, rows: int) -> int:
        return 0

    def bitmask(self, state: int) -> NDArray[np.int32]:
        return np.array([[1 << state]], np.int32)

    def advance(self, state: int, tokens: NDArray[np.int64]) -> int:
        return state + len(tokens)


def test_a_matcher_takes_tokens_back() -> None:
    matcher = PerRow()
    matcher.begin(2, Counting())
    matcher.accept([2, 2], [0, 1])
    mask = torch.zeros(4, 2, dtype=torch.int32)
    matcher.fill([1, 2], mask)
    assert mask.tolist() == [[0, 0], [-1, -1], [4, 0], [0, 0]]
    matcher.rollback(2, 1)
    matcher.move(2, 0)
    matcher.fill([0, 2], mask)
    assert mask[0].tolist() == [2, 0]
    assert mask[2].tolist() == [-1, -1]
    assert matcher.allows_any(0, 2)
    assert not matcher.allows_any(0, 1)


@pytest.mark.parametrize("n", [0, 1])
def test_rollback_of_nothing_is_nothing(n: int) -> None:
    matcher = PerRow()
    matcher.begin(0, Counting())
    matcher.accept([0], [0])
    matcher.rollback(0, n)
    assert matcher.words(0, 1).tolist() == [2 >> n]
