"""Which examples share a row: best-fit decreasing, pieces of long ones, one stream in blocks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luciola.types import Tokens


@dataclass(frozen=True)
class Piece:
    """Tokens [start, stop) of item number `item`."""

    item: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def best_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Bins of items, as few as best-fit decreasing finds, in O(n log n).

    Items are taken by length, longest first (equal ones in their order); each goes into the bin
    with the least room that suffices (among equal ones the bin untouched longest), else into a new
    one. Bins are in the order of their creation, items within in the order in which they were put.

    Source: Johnson 1973; the tie rules are those of TRL 1.16.

    Args:
        lengths: (N,) tokens per item, each 1 to `capacity`.
        capacity: tokens per bin.

    Raises: ValueError if a length is out of range: the caller cuts or splits over-long items first.
    """
    for item, length in enumerate(lengths):
        if not 1 <= length <= capacity:
            raise ValueError(f"item {item} has {length} tokens; a bin holds 1 to {capacity}")
    bins: list[list[int]] = []
    waiting: dict[int, deque[int]] = {}  # bins by the room they have left, longest untouched first
    rooms: list[int] = []  # the keys of `waiting`, ascending
    for item in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        at = bisect_left(rooms, lengths[item])
        if at == len(rooms):
            room, chosen = capacity, len(bins)
            bins.append([])
        else:
            room = rooms[at]
            chosen = waiting[room].popleft()
            if not waiting[room]:
                del waiting[room], rooms[at]
        bins[chosen].append(item)
        room -= lengths[item]
        if room and room not in waiting:
            waiting[room] = deque()
            insort(rooms, room)
        if room:
            waiting[room].append(chosen)
    return bins


def best_fit_whole(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Best-fit decreasing of items that are not cut: one of `capacity` or more has a bin alone."""
    room = max(capacity, 1)
    return best_fit_decreasing([min(length, room) for length in lengths], room)


def split_long(lengths: Sequence[int], capacity: int) -> list[Piece]:
    """All items in order, those longer than `capacity` in pieces of `capacity` and a rest."""
    return [
        Piece(item, start, min(start + capacity, length))
        for item, length in enumerate(lengths)
        for start in range(0, length, capacity)
    ]


def best_fit_decreasing_split(lengths: Sequence[int], capacity: int) -> list[list[Piece]]:
    """Best-fit decreasing of the pieces that `split_long` makes."""
    pieces = split_long(lengths, capacity)
    bins = best_fit_decreasing([len(piece) for piece in pieces], capacity)
    return [[pieces[i] for i in members] for members in bins]


def wrapped(lengths: Sequence[int], capacity: int) -> list[list[Piece]]:
    """All items as one stream, cut every `capacity` tokens; the last block may be shorter."""
    blocks: list[list[Piece]] = []
    room = 0
    for item, length in enumerate(lengths):
        start = 0
        while start < length:
            if not room:
                blocks.append([])
                room = capacity
            stop = min(length, start + room)
            blocks[-1].append(Piece(item, start, stop))
            room -= stop - start
            start = stop
    return blocks


def join(samples: Sequence[Tokens], pieces: Sequence[Piece]) -> Tokens:
    """One sample of several pieces; its first token, with nothing before it, is not trained."""
    ids = np.concatenate([samples[p.item].ids[p.start : p.stop] for p in pieces])
    trained = np.concatenate([samples[p.item].trained[p.start : p.stop] for p in pieces])
    trained[:1] = False
    return Tokens(ids, trained, samples[pieces[0].item].origin)


def blocks(samples: Sequence[Tokens], capacity: int, *, keep_rest: bool = True) -> list[Tokens]:
    """Pre-training's blocks: all samples as one stream, cut every `capacity` tokens.

    Args:
        keep_rest: keep the last block where it is shorter; a stream shorter than one block is
            always kept.
    """
    cut = [join(samples, pieces) for pieces in wrapped([len(s) for s in samples], capacity)]
    if not keep_rest and len(cut) > 1 and len(cut[-1]) < capacity:
        cut.pop()
    return cut
