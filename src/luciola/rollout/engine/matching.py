"""Constraints over the rows of a batch: which tokens may come next, as bits.

The layout is that of xgrammar and llguidance, (B, ceil(V / 32)) int32. `PerRow` serves the
project's own constraints, which know one row at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from luciola.types import Constraint


class Matcher(Protocol):
    """A constraint over the rows of a batch."""

    def fill(self, rows: Sequence[int], mask: Tensor) -> None:
        """Write what these rows allow into their rows of mask, (B, ceil(V / 32)) int32 on the
        device.
        """

    def accept(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """One more token for each of these rows."""

    def rollback(self, row: int, n: int) -> None:
        """Take back the last n tokens of a row."""


class PerRow:
    """A constraint of its own for each row.

    All states of a row are kept, so that any number of tokens can be taken back.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Constraint, list[Any]]] = {}

    def begin(self, row: int, constraint: Constraint | None) -> None:
        """A new row under this number."""
        if constraint is None:
            self._kept.pop(row, None)
        else:
            self._kept[row] = (constraint, [constraint.start(1)])

    def move(self, source: int, target: int) -> None:
        """A row under another number."""
        self._kept.pop(target, None)
        if source in self._kept:
            self._kept[target] = self._kept.pop(source)

    def words(self, row: int, count: int) -> np.ndarray[Any, np.dtype[np.int32]]:
        """(count,) int32: what a row allows; tokens beyond the constraint's own are forbidden."""
        if row not in self._kept:
            return np.full(count, -1, np.int32)
        constraint, states = self._kept[row]
        found = constraint.bitmask(states[-1])[0][:count]
        return np.pad(found, (0, count - len(found)))

    def allows_any(self, row: int, size: int) -> bool:
        """Whether a row may say any of `size` tokens."""
        words = self.words(row, -(-size // 32))
        bits = np.unpackbits(words.astype("<i4").view(np.uint8), bitorder="little")
        return bool(bits[:size].any())

    def fill(self, rows: Sequence[int], mask: Tensor) -> None:
        """See `Matcher`."""
        if not rows:
            return
        words = np.stack([self.words(row, mask.shape[1]) for row in rows])
        mask[torch.tensor(rows, device=mask.device)] = torch.from_numpy(words).to(mask.device)

    def accept(self, rows: Sequence[int], tokens: Sequence[int]) -> None:
        """See `Matcher`."""
        for row, token in zip(rows, tokens, strict=True):
            if row in self._kept:
                constraint, states = self._kept[row]
                states.append(constraint.advance(states[-1], np.array([token], np.int64)))

    def rollback(self, row: int, n: int) -> None:
        """See `Matcher`."""
        if n:
            constraint, states = self._kept[row]
            self._kept[row] = (constraint, states[:-n])
