"""Prompts computed in packed chunks: pieces of several rows side by side in one forward pass.

A segment continues what its slot of the cache holds already, which is how long prompts are computed
in parts, and how a shared prefix that was copied into the slot is continued.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from luciola.rollout.engine import operations
from luciola.rollout.engine.devices import has_kernels
from luciola.rollout.engine.forward import Tables, embedded, remember
from luciola.rollout.engine.network import Layer, Network


@dataclass(frozen=True)
class Segment:
    """Tokens for a slot from position `start` on; positions before it are computed."""

    slot: int
    start: int
    ids: tuple[int, ...]

    @property
    def end(self) -> int:
        """The position behind its last token."""
        return self.start + len(self.ids)


def chunks(segments: Sequence[Segment], tokens: int) -> Iterator[list[Segment]]:
    """Segments in forward passes of at most so many tokens; one that is too long in parts."""
    chunk: list[Segment] = []
    room = tokens
    for segment in segments:
        rest = segment
        while rest.ids:
            part = Segment(rest.slot, rest.start, rest.ids[:room])
            chunk.append(part)
            rest = Segment(rest.slot, part.end, rest.ids[room:])
            room -= len(part.ids)
            if not room:
                yield chunk
                chunk, room = [], tokens
    if chunk:
        yield chunk


def prefill(network: Network, cache: Tensor, tables: Tables, segments: Sequence[Segment]) -> None:
    """Fill the cache with the keys and values of the segments."""
    chunk = Chunk.of(segments, cache.device)
    x = embedded(network, chunk.tokens, chunk.positions)
    if has_kernels(cache.device):
        from luciola.rollout.engine.kernels import norms
        from luciola.rollout.engine.kernels.reading import Gathered, can_gather

        reader = Gathered if can_gather(network) else Grouped
        remember(network, x, reader(network, cache, tables, chunk), norms)
    else:
        remember(network, x, Grouped(network, cache, tables, chunk), operations)


@dataclass(frozen=True)
class Chunk:
    """The tokens of some segments, one after the other.

    Args:
        segments: like shapes side by side.
        tokens, slots, positions: (N,) int64.
    """

    segments: tuple[Segment, ...]
    tokens: Tensor
    slots: Tensor
    positions: Tensor

    @classmethod
    def of(cls, segments: Sequence[Segment], device: torch.device) -> Chunk:
        """Put segments into order, and on the device."""
        ordered = sorted(segments, key=lambda s: (s.start, len(s.ids), s.slot))
        lengths = [len(s.ids) for s in ordered]
        table = np.stack(
            [
                np.concatenate([np.asarray(s.ids, np.int64) for s in ordered]),
                np.repeat(np.array([s.slot for s in ordered], np.int64), lengths),
                np.concatenate([np.arange(s.start, s.end) for s in ordered]),
            ]
        )
        return cls(tuple(ordered), *torch.from_numpy(table).to(device).unbind(0))


class Grouped:
    """Attention in plain torch, segments of one shape together."""

    def __init__(self, network: Network, cache: Tensor, tables: Tables, chunk: Chunk) -> None:
        self.network, self.cache, self.chunk = network, cache, chunk
        self.turns = tables.at(chunk.positions)
        self.shapes = [
            (start, length, torch.tensor([s.slot for s in group], device=cache.device))
            for (start, length), group in groupby(
                chunk.segments, key=lambda s: (s.start, len(s.ids))
            )
        ]

    def store(self, index: int, layer: Layer, qkv: Tensor) -> Tensor:
        turns = None if layer.rotary is None else self.turns[layer.rotary]
        q, k, v = operations.rotated(qkv, layer, self.network, turns)
        self.cache[index, 0][self.chunk.slots, :, self.chunk.positions] = k
        self.cache[index, 1][self.chunk.slots, :, self.chunk.positions] = v
        return q

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        pieces, begin = [], 0
        for start, length, slots in self.shapes:
            end = begin + length * len(slots)
            q = queries[begin:end].view(len(slots), length, *queries.shape[1:])
            k, v = (self.cache[index, part, slots, :, : start + length] for part in (0, 1))
            at = torch.arange(start, start + length, device=q.device)
            mask = operations.visible(at, start + length, layer.window, q.dtype)[None]
            pieces.append(operations.attention(q, k, v, mask, layer).reshape(end - begin, -1))
            begin = end
        return torch.cat(pieces)
