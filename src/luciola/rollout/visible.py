"""Which slots of the cache a row's next token sees, as an additive mask that grows.

The mask is the front of rows whose lengths are multiples of `ALIGNMENT`: torch's memory-efficient
attention takes such a mask as it is, and copies any other once in every layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ALIGNMENT = 16
"""Numbers; more than any kernel asks for."""
ROOM = 64
"""Slots of room added at once when the mask is full."""


class Visible:
    """0 where a row sees a slot, -inf where it is padding."""

    def __init__(self, padding: Tensor, dtype: torch.dtype) -> None:
        """Start from padding, (B, S) bool: True where a slot is padding."""
        self.length = padding.shape[-1]
        bias = torch.zeros(padding.shape, dtype=dtype, device=padding.device)
        self.buffer = _with_room(bias.masked_fill_(padding, -torch.inf)[:, None, None])

    @property
    def bias(self) -> Tensor:
        """(B, 1, 1, slots), for one token behind all slots."""
        return self.buffer[..., : self.length]

    def causal(self, start: int, end: int) -> Tensor:
        """(B, 1, end - start, end), for the tokens in the slots from `start` to `end`.

        A padding token attends to itself alone, because a row of nothing but -inf would be nan.
        """
        slots = torch.arange(_rounded(end), device=self.buffer.device)
        queries = torch.arange(start, end, device=self.buffer.device)[:, None]
        bias = self.buffer[..., : len(slots)].masked_fill(slots > queries, -torch.inf)
        return bias.masked_fill_(slots == queries, 0.0)[..., :end]

    def append(self) -> None:
        """One more slot, which every row sees."""
        if self.length == self.buffer.shape[-1]:
            self.buffer = _with_room(self.buffer)
        self.length += 1

    def select(self, rows: Tensor | Sequence[int]) -> None:
        """Keep only these rows."""
        self.buffer = self.buffer[rows]


def _rounded(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _with_room(bias: Tensor) -> Tensor:
    """The same with room behind it for slots that will be seen."""
    *front, length = bias.shape
    buffer = bias.new_zeros(*front, _rounded(length) + ROOM)
    buffer[..., :length] = bias
    return buffer
