"""Rows: how a step's examples are laid out for the model, in numpy.

Three layouts of the same examples, with the same loss and gradients: padded (a matrix, one example
a row), packed (one flat row, side by side) and tree (one flat row, branches after their common
prefix, which is computed once). The examples of a step are fixed before they are laid out, so that
packing changes speed and memory and never the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from luciola.data.packing import best_fit_whole
from luciola.types import Tokens

ROOT = -1


@dataclass(frozen=True)
class Row:
    """One micro-batch.

    Args:
        ids: (B, T) int64 token ids, padded on the right with 0.
        positions: (B, T) int64 position of each token in its own example.
        lengths: padded: tokens of each of the B rows; else tokens of each segment of the one row.
        parents: None where padded; else index of the segment each one continues, or ROOT.
        source: (N, 2) int64 row and column whose output predicts each trained token.
        labels: (N,) int64 the trained tokens.
        examples: which examples of the step it holds (indices), to name them in an error.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    lengths: tuple[int, ...]
    parents: tuple[int, ...] | None
    source: NDArray[np.int64]
    labels: NDArray[np.int64]
    examples: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that the model computes, padding included."""
        return int(self.ids.size)


def padded_rows(samples: Sequence[Tokens], capacity: int) -> list[Row]:
    """Matrices of at most `capacity` tokens, padding included, of examples alike in length."""
    order = sorted(range(len(samples)), key=lambda i: -len(samples[i]))
    rows: list[Row] = []
    while order:
        width = len(samples[order[0]])
        count = max(1, capacity // width)
        rows.append(_padded_row(samples, order[:count], width))
        order = order[count:]
    return rows


def _padded_row(samples: Sequence[Tokens], members: Sequence[int], width: int) -> Row:
    ids = np.zeros((len(members), width), np.int64)
    sources, labels = [], []
    for row, member in enumerate(members):
        sample = samples[member]
        ids[row, : len(sample)] = sample.ids
        targets = np.flatnonzero(sample.trained[1:]) + 1
        sources.append(np.stack([np.full_like(targets, row), targets - 1], 1))
        labels.append(sample.ids[targets].astype(np.int64))
    return Row(
        ids=ids,
        positions=np.broadcast_to(np.arange(width), ids.shape).copy(),
        lengths=tuple(len(samples[m]) for m in members),
        parents=None,
        source=np.concatenate(sources),
        labels=np.concatenate(labels),
        examples=tuple(members),
    )


def packed_rows(samples: Sequence[Tokens], capacity: int) -> list[Row]:
    """Flat rows of at most `capacity` tokens (or one longer example), by best-fit decreasing."""
    return _rows_of_trees(samples, [Tree(0, (i,)) for i in range(len(samples))], capacity)


@dataclass(frozen=True)
class Tree:
    """Examples that begin with the same `prefix` tokens; a single example is a tree with prefix
    0.
    """

    prefix: int
    members: tuple[int, ...]

    def size(self, samples: Sequence[Tokens]) -> int:
        """Tokens computed when the prefix is computed once."""
        return self.prefix + sum(len(samples[m]) - self.prefix for m in self.members)


def tree_rows(samples: Sequence[Tokens], trees: Sequence[Tree], capacity: int) -> list[Row]:
    """Flat rows of at most `capacity` tokens; a tree that is larger is cut into several."""
    pieces = [piece for tree in trees for piece in _cut(samples, tree, capacity)]
    return _rows_of_trees(samples, pieces, capacity)


def _cut(samples: Sequence[Tokens], tree: Tree, capacity: int) -> list[Tree]:
    pieces: list[Tree] = []
    members: list[int] = []
    size = tree.prefix
    for member in tree.members:
        branch = len(samples[member]) - tree.prefix
        if members and size + branch > capacity:
            pieces.append(Tree(tree.prefix, tuple(members)))
            members, size = [], tree.prefix
        members.append(member)
        size += branch
    return [*pieces, Tree(tree.prefix, tuple(members))]


def _rows_of_trees(samples: Sequence[Tokens], trees: Sequence[Tree], capacity: int) -> list[Row]:
    bins = best_fit_whole([tree.size(samples) for tree in trees], capacity)
    return [_flat_row(samples, [trees[i] for i in members]) for members in bins]


class _Segments:
    """The growing flat row: tokens, positions, and which segment continues which."""

    def __init__(self) -> None:
        self.ids: list[NDArray[np.int32]] = []
        self.positions: list[NDArray[np.int64]] = []
        self.parents: list[int] = []
        self.end = 0

    def add(self, ids: NDArray[np.int32], position: int, parent: int) -> int:
        """Append tokens that begin at `position` of their example; returns the segment's index."""
        self.ids.append(ids)
        self.positions.append(np.arange(position, position + len(ids)))
        self.parents.append(parent)
        self.end += len(ids)
        return len(self.parents) - 1


def _flat_row(samples: Sequence[Tokens], trees: Sequence[Tree]) -> Row:
    """One row of several trees; a branch's first token is predicted by its prefix's last."""
    row = _Segments()
    sources, labels = [], []
    for tree in trees:
        root, prefix_end = ROOT, -1
        if tree.prefix:
            root = row.add(samples[tree.members[0]].ids[: tree.prefix], 0, ROOT)
            prefix_end = row.end - 1
        for member in tree.members:
            sample, begin = samples[member], row.end
            if len(sample) > tree.prefix:
                row.add(sample.ids[tree.prefix :], tree.prefix, root)
            # nothing of a prefix is trained, nor is the very first token of an example
            targets = np.flatnonzero(sample.trained[1:]) + 1
            offsets = targets - tree.prefix
            sources.append(np.where(offsets > 0, begin + offsets - 1, prefix_end))
            labels.append(sample.ids[targets].astype(np.int64))
    columns = np.concatenate(sources)
    return Row(
        ids=np.concatenate(row.ids).astype(np.int64)[None],
        positions=np.concatenate(row.positions)[None],
        lengths=tuple(len(piece) for piece in row.ids),
        parents=tuple(row.parents),
        source=np.stack([np.zeros_like(columns), columns], 1),
        labels=np.concatenate(labels),
        examples=tuple(m for tree in trees for m in tree.members),
    )
