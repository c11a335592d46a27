"""Where tokens find keys and values, by kernels: single tokens of running rows, packed prompts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from luciola.models.varlen import Spans, varlen_attention, windows_possible
from luciola.rollout.engine.forward import Tables
from luciola.rollout.engine.kernels.attention import attend
from luciola.rollout.engine.kernels.rotary import rotate_store
from luciola.rollout.engine.network import Layer, Network
from luciola.rollout.engine.segments import Chunk
from luciola.rollout.engine.slots import Slots


def turns_of(tables: Tables, layer: Layer) -> tuple[Tensor, Tensor] | None:
    """A layer's whole tables."""
    return None if layer.rotary is None else tables.all[layer.rotary]


class KernelReader:
    """As `forward.DecodeReader`."""

    def __init__(self, network: Network, slots: Slots, positions: Tensor, length: int) -> None:
        self.network, self.slots = network, slots
        self.positions, self.length = positions, length

    def store(self, index: int, layer: Layer, qkv: Tensor) -> Tensor:
        keys, values = self.slots.cache[index].unbind(0)
        turns = turns_of(self.slots.tables, layer)
        return rotate_store(qkv, layer, self.network, turns, self.positions, keys, values)

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        keys, values = self.slots.cache[index].unbind(0)
        return attend(queries, keys, values, self.positions, self.length, layer, self.network)


def can_gather(network: Network) -> bool:
    """Whether the variable-length kernel computes this network's attention."""
    return network.embedding.dtype in (torch.bfloat16, torch.float16) and all(
        layer.softcap is None and (layer.window is None or windows_possible())
        for layer in network.layers
    )


class Gathered:
    """Prompts by torch's variable-length flash kernel; what segments continue is gathered from
    their slots.
    """

    def __init__(self, network: Network, cache: Tensor, tables: Tables, chunk: Chunk) -> None:
        self.network, self.cache, self.tables, self.chunk = network, cache, tables, chunk
        segments = chunk.segments
        ends = [s.end for s in segments]
        self.spans = Spans.of([len(s.ids) for s in segments], ends, cache.device)
        self.whole = all(s.start == 0 for s in segments)
        if not self.whole:
            slots = np.repeat(np.array([s.slot for s in segments]), ends)
            places = np.concatenate([np.arange(end) for end in ends])
            both = torch.from_numpy(np.stack([slots, places])).to(cache.device)
            self.key_slots, self.key_positions = both.unbind(0)

    def store(self, index: int, layer: Layer, qkv: Tensor) -> Tensor:
        """(N, H + 2 H_kv, D): keys and values stay behind the queries."""
        keys, values = self.cache[index].unbind(0)
        return rotate_store(
            qkv, layer, self.network, turns_of(self.tables, layer), self.chunk.positions,
            keys, values, self.chunk.slots,
        )  # fmt: skip

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        heads, kv = self.network.heads, self.network.kv_heads
        q, k, v = queries.split([heads, kv, kv], 1)
        if not self.whole:
            k, v = (
                self.cache[index, part][self.key_slots, :, self.key_positions] for part in (0, 1)
            )
        out = varlen_attention(q, k, v, self.spans, layer.scale, layer.window)
        return out.reshape(len(q), -1)
