"""Keys and values: a cache that grows without copying, and the prefixes kept between calls.

Stands on DynamicCache of transformers: its layers, their `keys`, `values` and `update`. Models
whose layers keep something else (recurrent states, windows) are sampled without it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from luciola.rollout.prefixes import shared_length

ROOM = 64
"""Tokens of room added at once when a layer is full."""


class GrowingLayer(DynamicLayer):
    """One layer's keys and values, (B, H, T, D), as the front of larger buffers.

    DynamicLayer copies the whole cache for each new token; this copies nothing but the token.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, room: int) -> None:
        """Take (B, H, T, D) keys and values over, and keep room for `room` more tokens."""
        super().__init__()
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._hold(keys, values, room)

    def _hold(self, keys: Tensor, values: Tensor, room: int) -> None:
        self.buffers = [_with_room(part, room) for part in (keys, values)]
        self._show(keys.shape[2])

    def _show(self, length: int) -> None:
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the new tokens behind the others; returns all keys and values."""
        length, new = self.keys.shape[2], key_states.shape[2]
        if length + new > self.buffers[0].shape[2]:
            self._hold(self.keys, self.values, max(ROOM, new))
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, length : length + new] = states
        self._show(length + new)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only these rows of the batch."""
        length = self.keys.shape[2]
        self.buffers = [buffer[indices] for buffer in self.buffers]
        self._show(length)


def _with_room(states: Tensor, room: int) -> Tensor:
    B, H, T, D = states.shape
    buffer = states.new_zeros(B, H, T + room, D)  # what is masked must still be finite
    buffer[:, :, :T] = states
    return buffer


@dataclass(frozen=True)
class Prefix:
    """The computed beginning of some prompts: per layer keys and values, (1, H, P, D)."""

    ids: tuple[int, ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    def cut(self, length: int) -> Prefix:
        """Its first `length` tokens; causal attention makes them independent of the rest."""
        cut = tuple((keys[:, :, :length], values[:, :, :length]) for keys, values in self.layers)
        return Prefix(self.ids[:length], cut)


def growing(layers: Sequence[tuple[Tensor, Tensor]], room: int) -> DynamicCache:
    """A cache that begins with these keys and values and has room for `room` more tokens."""
    cache = DynamicCache()
    cache.layers = [GrowingLayer(keys, values, room) for keys, values in layers]
    return cache


def reordered(cache: Any, rows: Tensor) -> Any:
    """What a model keeps between two tokens, for these rows of its batch, (B,) int64; a row may be
    taken several times.

    A cache of transformers, or the tokens so far of a model that keeps nothing.
    """
    if isinstance(cache, Tensor):
        return cache[rows]
    cache.reorder_cache(rows)
    return cache


def snapshot(cache: Any, ids: tuple[int, ...]) -> Prefix:
    """What a cache of one row holds, as a prefix that outlives it."""
    return Prefix(ids, tuple((layer.keys, layer.values) for layer in cache.layers))


class Beginning(Protocol):
    """What is kept of a computed prefix."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Its tokens."""
        ...

    def cut(self, length: int) -> Self:
        """Its first tokens."""
        ...


P = TypeVar("P", bound=Beginning)


class PrefixCache(Generic[P]):
    """The prefixes computed last, for the weights as they are: questions about one schema share it.

    A prompt also profits from the common part of a longer or different one.
    """

    def __init__(self, entries: int = 4) -> None:
        """Keep at most `entries` prefixes, the latest used."""
        self.entries = entries
        self._kept: OrderedDict[tuple[int, ...], P] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def longest(self, ids: tuple[int, ...]) -> P | None:
        """The kept prefix that shares most with `ids`, cut to what they share; None if nothing."""
        best = max(self._kept, key=lambda kept: shared_length(kept, ids), default=())
        length = shared_length(best, ids)
        if not length:
            return None
        self._kept.move_to_end(best)
        return self._kept[best].cut(length)

    def keep(self, prefix: P) -> None:
        """Remember a prefix, and forget what it continues or the one used longest ago."""
        for ids in [ids for ids in self._kept if ids == prefix.ids[: len(ids)]]:
            del self._kept[ids]
        self._kept[prefix.ids] = prefix
        while len(self._kept) > self.entries:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, because the weights changed."""
        self._kept.clear()
