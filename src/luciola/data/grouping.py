"""Rows that keep together what is compared: all answers to one prompt are in one row.

Of a list of answers that begin alike (with their prompt), a tree row computes the beginning once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from luciola.data.packing import best_fit_whole
from luciola.data.rows import Row, Tree, packed_rows, padded_rows, tree_rows
from luciola.types import Tokens

Kind = Literal["padded", "packed", "tree"]
Groups = Sequence[Sequence[int]]
WHOLE = 2**62
"""A capacity that nothing exceeds."""


def grouped_rows(samples: Sequence[Tokens], groups: Groups, kind: Kind, capacity: int) -> list[Row]:
    """Rows of at most `capacity` tokens (or one larger group) that hold every group whole.

    Args:
        samples: the answers, each behind its prompt; in a tree the first `prefix` tokens of a
            group's answers are the same.
        groups: which samples belong together.
        kind: how they share a row.
    """
    if kind == "padded":
        return [_row(samples, groups, part, kind) for part in _padded(samples, groups, capacity)]
    parts = best_fit_whole([_size(samples, group, kind) for group in groups], capacity)
    return [_row(samples, groups, part, kind) for part in parts]


def ends(row: Row) -> NDArray[np.int64]:
    """(N, 2) row and column of the last token of each of `row.examples`.

    In a flat row an example ends where a segment ends that no other continues: every example has a
    token of its own behind its prefix.
    """
    lengths = np.array(row.lengths)
    if row.parents is None:
        return np.stack([np.arange(len(lengths)), lengths - 1], 1)
    leaves = np.setdiff1d(np.arange(len(lengths)), np.array(row.parents))
    columns = np.cumsum(lengths)[leaves] - 1
    return np.stack([np.zeros_like(columns), columns], 1)


def _size(samples: Sequence[Tokens], group: Sequence[int], kind: Kind) -> int:
    if kind == "packed":
        return sum(len(samples[i]) for i in group)
    return _tree(samples, group).size(samples)


def _tree(samples: Sequence[Tokens], group: Sequence[int]) -> Tree:
    return Tree(samples[group[0]].prefix if len(group) > 1 else 0, tuple(group))


def _padded(samples: Sequence[Tokens], groups: Groups, capacity: int) -> list[list[int]]:
    """Groups alike in length together, as many as a matrix of `capacity` tokens holds."""
    longest = [max(len(samples[i]) for i in group) for group in groups]
    parts: list[list[int]] = []
    rows, width = 0, 0
    for index in sorted(range(len(groups)), key=lambda g: -longest[g]):
        if not parts or (rows + len(groups[index])) * width > capacity:
            parts.append([])
            rows, width = 0, longest[index]
        parts[-1].append(index)
        rows += len(groups[index])
    return parts


def _row(samples: Sequence[Tokens], groups: Groups, part: Sequence[int], kind: Kind) -> Row:
    """One row of some groups; its examples keep their numbers in `samples`."""
    numbers = [i for group in part for i in groups[group]]
    chosen = [samples[i] for i in numbers]
    if kind == "padded":
        (row,) = padded_rows(chosen, WHOLE)
    elif kind == "packed":
        (row,) = packed_rows(chosen, WHOLE)
    else:
        place = {number: at for at, number in enumerate(numbers)}
        trees = [_tree(chosen, [place[i] for i in groups[group]]) for group in part]
        (row,) = tree_rows(chosen, trees, WHOLE)
    return replace(row, examples=tuple(numbers[i] for i in row.examples))
