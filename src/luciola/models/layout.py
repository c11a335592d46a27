"""Which tokens of a flat row belong together: the segments of a pack, or of a tree of branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

ROOT = -1
"""The parent of a segment that continues nothing."""


@dataclass(frozen=True)
class Layout:
    """How the tokens of one flat row attend.

    Args:
        lengths: tokens of each segment, in row order; their sum is T.
        parents: index of the segment each one continues (before it in the row), or ROOT.
        queries: (S + 1,) int32, where each segment's queries begin; the last entry is T.
        keys: (S + 1,) int32, the same for its keys: the parent's tokens, then its own.
        key_index: (K,) row positions of those keys; None where no segment has a parent.
        longest_query, longest_key: the longest segment without and with its parent.
    """

    lengths: tuple[int, ...]
    parents: tuple[int, ...]
    queries: Tensor
    keys: Tensor
    key_index: Tensor | None
    longest_query: int
    longest_key: int

    @classmethod
    def of(
        cls, lengths: Sequence[int], parents: Sequence[int], device: torch.device | str = "cpu"
    ) -> Layout:
        """The layout of segments `lengths`, each continuing `parents[i]` (ROOT: nothing)."""
        starts = [0, *accumulate(lengths)]
        spans = [_key_spans(index, starts, parents) for index in range(len(lengths))]
        key_lengths = [sum(end - begin for begin, end in span) for span in spans]
        branched = any(parent != ROOT for parent in parents)
        index = torch.cat([torch.arange(b, e) for span in spans for b, e in span])
        return cls(
            lengths=tuple(lengths),
            parents=tuple(parents),
            queries=moved(torch.tensor(starts, dtype=torch.int32), device),
            keys=moved(torch.tensor([0, *accumulate(key_lengths)], dtype=torch.int32), device),
            key_index=moved(index, device) if branched else None,
            longest_query=max(lengths),
            longest_key=max(key_lengths),
        )


def moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """The tensor on a device, without waiting for what that is still doing."""
    if torch.device(device).type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _key_spans(index: int, starts: Sequence[int], parents: Sequence[int]) -> list[tuple[int, int]]:
    own = (starts[index], starts[index + 1])
    parent = parents[index]
    return [own] if parent == ROOT else [(starts[parent], starts[parent + 1]), own]
