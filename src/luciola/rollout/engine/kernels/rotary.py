"""Queries and keys normalised and turned, keys and values put into the cache, in one kernel."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from luciola.rollout.engine.kernels.launching import early, follow
from luciola.rollout.engine.network import Layer, Network


@triton.jit
def _rotate_store(
    qkv, slots, positions, cos, sin, query_norm, key_norm, queries, keys, values,
    eps, offset, length,
    HEADS: tl.constexpr, KV: tl.constexpr, D: tl.constexpr, HALF: tl.constexpr,
    NORMS: tl.constexpr, PACKED: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < D
    slot = row
    if PACKED:
        slot = tl.load(slots + row).to(tl.int64)
    position = tl.load(positions + row).to(tl.int64)
    base = qkv + (row * (HEADS + 2 * KV) + head) * D
    x = tl.load(base + at, mask=inside, other=0.0)
    y = x.to(tl.float32)
    if head < HEADS + KV:
        partner = tl.where(at < HALF, at + HALF, tl.where(at < 2 * HALF, at - HALF, at))
        other = tl.load(base + partner, mask=inside, other=0.0).to(tl.float32)
        if NORMS:
            scale = tl.rsqrt(tl.sum(y * y, 0) / D + eps)
            if head < HEADS:
                weight = query_norm
            else:
                weight = key_norm
            y = y * scale * (tl.load(weight + at, mask=inside, other=0.0).to(tl.float32) + offset)
            other = (
                other
                * scale
                * (tl.load(weight + partner, mask=inside, other=0.0).to(tl.float32) + offset)
            )
        if HALF > 0:
            turned = at < 2 * HALF
            column = tl.where(at < HALF, at, at - HALF)
            c = tl.load(cos + position * HALF + column, mask=turned, other=1.0)
            s = tl.load(sin + position * HALF + column, mask=turned, other=0.0)
            y = tl.where(at < HALF, y * c - other * s, y * c + other * s)
    y = y.to(x.dtype)
    if PACKED:
        tl.store(queries + (row * (HEADS + 2 * KV) + head) * D + at, y, mask=inside)
    else:
        mine = inside & (head < HEADS)
        tl.store(queries + (row * HEADS + head) * D + at, y, mask=mine)
    if head >= HEADS:
        if head < HEADS + KV:
            kept = keys + ((slot * KV + head - HEADS) * length + position) * D
        else:
            kept = values + ((slot * KV + head - HEADS - KV) * length + position) * D
        tl.store(kept + at, y, mask=inside)


def rotate_store(
    qkv: Tensor,
    layer: Layer,
    network: Network,
    turns: tuple[Tensor, Tensor] | None,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    slots: Tensor | None = None,
) -> Tensor:
    """As `operations.rotated`, the new keys and values written into the layer's cache.

    Args:
        qkv: (N, (H + 2 H_kv) · D).
        turns: the whole tables of cosines and sines, (positions, rotated / 2) float32.
        positions: (N,) of the tokens.
        keys, values: (slots, H_kv, length, D).
        slots: (N,) of the tokens; None: row b is slot b.

    Returns: queries (N, H, D); with slots (N, H + 2 H_kv, D), keys and values behind the queries.
    """
    rows, size = len(qkv), network.head_size
    heads = network.heads + 2 * network.kv_heads
    queries = qkv.new_empty(rows, network.heads if slots is None else heads, size)
    norms = layer.query_norm
    cos, sin = turns if turns is not None else (queries, queries)
    _rotate_store[(rows, heads)](
        qkv, positions if slots is None else slots, positions, cos, sin,
        qkv if norms is None else norms.weight,
        qkv if layer.key_norm is None else layer.key_norm.weight,
        queries, keys, values,
        0.0 if norms is None else norms.eps, 0.0 if norms is None else norms.offset,
        keys.shape[2],
        HEADS=network.heads, KV=network.kv_heads, D=size,
        HALF=0 if turns is None else cos.shape[1], NORMS=norms is not None,
        PACKED=slots is not None, BLOCK=triton.next_power_of_2(size), num_warps=1, **early(qkv),
    )  # fmt: skip
    return queries
