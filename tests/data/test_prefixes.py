"""Groups of samples that begin alike."""

from __future__ import annotations

import numpy as np

from luciola.data.prefixes import Group, shared_prefixes
from luciola.types import Tokens


def sample(ids: list[int], prefix: int) -> Tokens:
    return Tokens(np.array(ids, np.int32), np.zeros(len(ids), np.bool_), prefix=prefix)


def test_samples_that_begin_alike_are_one_group_and_others_are_alone() -> None:
    samples = [
        sample([1, 2, 3, 9], 3),
        sample([1, 2, 4, 9], 3),
        sample([1, 2, 3, 8, 8], 3),
        sample([5], 0),
    ]
    groups = shared_prefixes(samples, minimum=2)
    assert groups == [Group(3, (0, 2)), Group(0, (1,)), Group(0, (3,))]


def test_a_longer_prefix_with_the_same_beginning_is_another_group() -> None:
    samples = [sample([1, 2, 3, 9], 2), sample([1, 2, 3, 9], 3), sample([1, 2, 7], 2)]
    assert shared_prefixes(samples, minimum=2) == [Group(2, (0, 2)), Group(0, (1,))]


def test_short_prefixes_and_samples_that_end_in_their_prefix_share_nothing() -> None:
    short = [sample([1, 2, 3], 1), sample([1, 2, 4], 1)]
    assert [group.prefix_length for group in shared_prefixes(short, minimum=2)] == [0, 0]
    cut = [sample([1, 2], 2), sample([1, 2], 2)]
    assert [group.prefix_length for group in shared_prefixes(cut, minimum=2)] == [0, 0]


def test_every_sample_is_in_exactly_one_group() -> None:
    draw = np.random.default_rng(0)
    samples = [sample(draw.integers(0, 2, 30).tolist(), 5) for _ in range(200)]
    groups = shared_prefixes(samples, minimum=5)
    assert sorted(m for group in groups for m in group.members) == list(range(200))
    for group in groups:
        starts = {samples[m].ids[: group.prefix_length].tobytes() for m in group.members}
        assert len(starts) == 1
