"""Rows that keep the answers to one prompt together."""

from __future__ import annotations

import numpy as np
import pytest

from luciola.data.grouping import Kind, ends, grouped_rows
from luciola.types import Tokens

KINDS: tuple[Kind, ...] = ("padded", "packed", "tree")
GROUPS = [(0, 1), (2, 3, 4), (5, 6)]


@pytest.fixture
def answers() -> list[Tokens]:
    """Seven answers to three prompts; the last token of answer i is 100 + i. The fifth answer has
    one token.
    """
    made = []
    lengths = [3, 5, 2, 4, 1, 6, 2]
    for group, members in enumerate(GROUPS):
        prompt = [10 * (group + 1)] * (group + 2)
        for i in members:
            ids = [*prompt, *[50 + i] * (lengths[i] - 1), 100 + i]
            trained = np.arange(len(ids)) >= len(prompt)
            made.append(Tokens(np.array(ids, np.int32), trained, prefix=len(prompt)))
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capacity", [1, 36, 1000])
def test_the_end_of_each_answer_is_its_last_token(
    answers: list[Tokens], kind: Kind, capacity: int
) -> None:
    """Where a branch of one token follows its prefix, too."""
    seen = []
    for row in grouped_rows(answers, GROUPS, kind, capacity):
        found = row.ids[tuple(ends(row).T)]
        assert found.tolist() == [100 + i for i in row.examples]
        seen += row.examples
    assert sorted(seen) == list(range(7))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capacity", [1, 36, 1000])
def test_no_group_is_split(answers: list[Tokens], kind: Kind, capacity: int) -> None:
    rows = grouped_rows(answers, GROUPS, kind, capacity)
    for group in GROUPS:
        holders = [row for row in rows if set(group) & set(row.examples)]
        assert len(holders) == 1
        assert set(group) <= set(holders[0].examples)
    assert len(rows) == {1: 3, 36: 1 if kind == "tree" else 2, 1000: 1}[capacity]


def test_a_row_keeps_to_its_capacity(answers: list[Tokens]) -> None:
    """Groups of 5 + 7, 5 + 7 + 4 and 10 + 6 tokens: 12, 16 and 16; padded 14, 21 and 20."""
    for kind in KINDS:
        for row in grouped_rows(answers, GROUPS, kind, 36):
            assert row.num_tokens <= 36
    assert len(grouped_rows(answers, GROUPS, "packed", 36)) == 2


def test_a_tree_computes_a_prompt_once(answers: list[Tokens]) -> None:
    (packed,) = grouped_rows(answers, GROUPS, "packed", 1000)
    (tree,) = grouped_rows(answers, GROUPS, "tree", 1000)
    assert packed.num_tokens - tree.num_tokens == 2 + 2 * 3 + 4
