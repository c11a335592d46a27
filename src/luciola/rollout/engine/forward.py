"""The network's forward pass over flat tokens: one per row while decoding, whole prompts packed.

What differs between the two is how a token's keys are found; a `Reader` says it.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from luciola.rollout.engine import operations
from luciola.rollout.engine.network import Layer, Linear, Network, Norm


class Reader(Protocol):
    """Where the tokens of one forward pass keep their keys and values, and find those before."""

    def store(self, index: int, layer: Layer, qkv: Tensor) -> Tensor:
        """Turn queries and keys, keep keys and values; returns the queries (N, H, D)."""
        ...

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        """(N, H · D)."""
        ...


class Operations(Protocol):
    """What stands between the products: `operations`, or kernels in its place."""

    def norm(self, x: Tensor, by: Norm) -> Tensor: ...

    def add_norm(self, x: Tensor, update: Tensor, by: Norm) -> tuple[Tensor, Tensor]: ...

    def activated(self, up: Tensor, network: Network) -> Tensor: ...


def embedded(network: Network, tokens: Tensor, positions: Tensor) -> Tensor:
    """(N, width) of tokens (N,) at `positions` (N,)."""
    x = F.embedding(tokens, network.embedding)
    if network.embedding_scale is not None:
        x = x * network.embedding_scale
    if network.positions is not None:
        x = x + F.embedding(positions.clamp(max=len(network.positions) - 1), network.positions)
    return x


def hidden(network: Network, x: Tensor, reader: Reader, by: Operations) -> Tensor:
    """(N, width) that the head multiplies with, from embeddings of the same shape."""
    normed = by.norm(x, network.layers[0].before_attention)
    following = [*(layer.before_attention for layer in network.layers[1:]), network.last_norm]
    for index, (layer, after) in enumerate(zip(network.layers, following, strict=True)):
        queries = reader.store(index, layer, apply(layer.qkv, normed))
        x, normed = _rest(network, index, layer, x, queries, after, reader, by)
    return normed


def remember(network: Network, x: Tensor, reader: Reader, by: Operations) -> None:
    """Only keep the keys and values of all layers; what comes after the last ones is left out."""
    normed = by.norm(x, network.layers[0].before_attention)
    for index, layer in enumerate(network.layers):
        queries = reader.store(index, layer, apply(layer.qkv, normed))
        if index + 1 < len(network.layers):
            after = network.layers[index + 1].before_attention
            x, normed = _rest(network, index, layer, x, queries, after, reader, by)


def logits(network: Network, states: Tensor) -> Tensor:
    """(N, V) float32 of the states before the head."""
    return operations.capped(apply(network.head, states).float(), network.head_softcap)


def apply(linear: Linear, x: Tensor) -> Tensor:
    """x W^T + b."""
    return F.linear(x, linear.weight, linear.bias)


def _rest(
    network: Network,
    index: int,
    layer: Layer,
    x: Tensor,
    queries: Tensor,
    after: Norm,
    reader: Reader,
    by: Operations,
) -> tuple[Tensor, Tensor]:
    """A block from its queries on: the residual stream behind it, and that by the next norm."""
    update = apply(layer.out, reader.attend(index, layer, queries))
    if layer.after_attention is not None:
        update = by.norm(update, layer.after_attention)
    if network.parallel:
        return by.add_norm(
            x, update + _mlp(network, layer, by.norm(x, layer.before_mlp), by), after
        )
    x, normed = by.add_norm(x, update, layer.before_mlp)
    return by.add_norm(x, _mlp(network, layer, normed, by), after)


def _mlp(network: Network, layer: Layer, normed: Tensor, by: Operations) -> Tensor:
    out = apply(layer.down, by.activated(apply(layer.up, normed), network))
    return out if layer.after_mlp is None else by.norm(out, layer.after_mlp)


class Tables:
    """The rotary tables, as long as the cache."""

    def __init__(self, network: Network, length: int) -> None:
        self.all = network.tables(length)

    def at(self, positions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Cosines and sines at `positions` (N,), each (N, rotated / 2)."""
        return [(cos[positions], sin[positions]) for cos, sin in self.all]


class DecodeReader:
    """One token per row; row b is slot b of the cache.

    Args:
        cache: (layers, 2, slots, H_kv, length, D).
        positions: (B,) of the tokens.
        length: slots of the cache beyond every position; attention reads no further.
    """

    def __init__(
        self, network: Network, cache: Tensor, tables: Tables, positions: Tensor, length: int
    ) -> None:
        self.network, self.cache, self.positions, self.length = network, cache, positions, length
        self.turns = tables.at(positions)
        self.rows = torch.arange(len(positions), device=positions.device)
        self._masks: dict[int | None, Tensor] = {}

    def store(self, index: int, layer: Layer, qkv: Tensor) -> Tensor:
        turns = None if layer.rotary is None else self.turns[layer.rotary]
        q, k, v = operations.rotated(qkv, layer, self.network, turns)
        self.cache[index, 0][self.rows, :, self.positions] = k
        self.cache[index, 1][self.rows, :, self.positions] = v
        return q

    def attend(self, index: int, layer: Layer, queries: Tensor) -> Tensor:
        if layer.window not in self._masks:
            self._masks[layer.window] = operations.visible(
                self.positions, self.length, layer.window, queries.dtype
            )[:, None]
        k, v = (self.cache[index, part, : len(queries), :, : self.length] for part in (0, 1))
        out = operations.attention(queries[:, None], k, v, self._masks[layer.window], layer)
        return out.reshape(len(queries), -1)
