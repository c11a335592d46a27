"""One token for each running row: forward pass, choice and bookkeeping, all on the device.

On a CPU it runs as it stands, on a GPU as CUDA graphs: one for each number of rows, length and
`Mode` that came up, captured when it first does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

from luciola.rollout.engine import operations
from luciola.rollout.engine import slots as at
from luciola.rollout.engine.choosing import Mode, advance, chosen
from luciola.rollout.engine.forward import DecodeReader, embedded, hidden, logits
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.slots import Slots

Step = Callable[[int, int, Mode], None]
"""Called with rows, a length beyond all of their tokens, and what they need."""

GRAPHS = 64
"""Kept at most; the one used longest ago is forgotten."""


def plain_step(network: Network, slots: Slots, ends: Tensor) -> Step:
    """The step in torch's own operations."""

    def step(rows: int, length: int, mode: Mode) -> None:
        states = decoded_states(network, slots, rows, length)
        choice = chosen(logits(network, states), slots, rows, length, mode)
        advance(slots, rows, *choice, ends)

    return step


def decoded_states(network: Network, slots: Slots, rows: int, length: int) -> Tensor:
    """(B, width) before the head, after the last token of each of the first B rows."""
    tokens, positions = slots.table[at.TOKEN, :rows], slots.table[at.POSITION, :rows]
    reader = DecodeReader(network, slots.cache, slots.tables, positions, length)
    return hidden(network, embedded(network, tokens, positions), reader, operations)


def row_bucket(rows: int, most: int) -> int:
    """So many rows are computed for `rows` of them: 1, 2, 4, 8, then steps of an eighth to a half
    of the next power of two.
    """
    if rows <= 8:
        return min(most, 1 << (rows - 1).bit_length())
    unit = max(8, 1 << ((rows - 1).bit_length() - 2))
    return min(most, -(-rows // unit) * unit)


def length_bucket(length: int, most: int) -> int:
    """So many tokens attention may have to read: 128, 256, 512, ..."""
    return min(most, max(128, 1 << (length - 1).bit_length()))


class GraphedStep:
    """A step as CUDA graphs over the same slots."""

    def __init__(self, step: Step, slots: Slots) -> None:
        self.step, self.slots = step, slots
        self._graphs: OrderedDict[tuple[int, int, Mode], torch.cuda.CUDAGraph] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, rows: int, length: int, mode: Mode) -> None:
        """Compute at least so many rows, up to at least this length."""
        key = row_bucket(rows, self.slots.rows), length_bucket(length, self.slots.length), mode
        if key not in self._graphs:
            self._graphs[key] = self._captured(*key)
            while len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        self._graphs[key].replay()

    def _captured(self, rows: int, length: int, mode: Mode) -> torch.cuda.CUDAGraph:
        """The step runs once before it is recorded, so that its kernels are built; what that
        changed is put back.
        """
        parts = (self.slots.table, self.slots.ids, self.slots.logprobs)
        before = [part.clone() for part in parts]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.step(rows, length, mode)
        torch.cuda.current_stream().wait_stream(side)
        for part, kept in zip(parts, before, strict=True):
            part.copy_(kept)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self.step(rows, length, mode)
        return graph
