"""Attention of one query token per row over its slot of the cache.

The query heads of one group are one tile, so every key and value is read once. Long caches are
split over several programs, whose parts are put together in a second kernel. Source of both:
Flash-Decoding, Dao et al. 2023, https://crfm.stanford.edu/2023/10/12/flashdecoding.html.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from luciola.rollout.engine.kernels.launching import early, follow
from luciola.rollout.engine.network import Layer, Network

PROGRAMS = 264
"""Enough to fill the card: two for each of an H100's multiprocessors."""
LEAST_SPLIT = 128
"""Tokens."""
BLOCK_T, WARPS, STAGES = 64, 4, 2


@triton.jit
def _attend(
    queries, keys, values, positions, out, part_max, part_sum,
    scale, softcap, length, split,
    HEADS: tl.constexpr, KV: tl.constexpr, D: tl.constexpr, WINDOW: tl.constexpr,
    CAPPED: tl.constexpr, WHOLE: tl.constexpr, PRECISION: tl.constexpr,
    GROUP: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_T: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    row = tl.program_id(0).to(tl.int64)
    kv = tl.program_id(1)
    part = tl.program_id(2)
    parts = tl.num_programs(2)
    end = tl.load(positions + row).to(tl.int32) + 1
    begin = part * split
    last = end
    if not WHOLE:
        last = tl.minimum(begin + split, end)
    if WINDOW > 0:
        begin = tl.maximum(begin, end - WINDOW)
    head = tl.arange(0, GROUP)
    d = tl.arange(0, BLOCK_D)
    mine = head < HEADS // KV
    at = row * HEADS + kv * (HEADS // KV) + head
    q = tl.load(queries + at[:, None] * D + d, mask=mine[:, None] & (d < D), other=0.0)
    base = (row * KV + kv) * length * D
    best = tl.full([GROUP], -float("inf"), tl.float32)
    total = tl.zeros([GROUP], tl.float32)
    mixed = tl.zeros([GROUP, BLOCK_D], tl.float32)
    for first in range((begin // BLOCK_T) * BLOCK_T, last, BLOCK_T):
        t = first + tl.arange(0, BLOCK_T)
        seen = (t >= begin) & (t < last)
        place = base + t[:, None] * D + d
        filled = seen[:, None] & (d < D)
        k = tl.load(keys + place, mask=filled, other=0.0)
        v = tl.load(values + place, mask=filled, other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
        if CAPPED:
            scores = softcap * (1.0 - 2.0 / (tl.exp(2.0 * scores / softcap) + 1.0))
        scores = tl.where(seen, scores, -float("inf"))
        higher = tl.maximum(best, tl.max(scores, 1))
        weights = tl.exp(scores - higher[:, None])
        fade = tl.exp(best - higher)
        total = total * fade + tl.sum(weights, 1)
        mixed = mixed * fade[:, None]
        mixed += tl.dot(weights.to(v.dtype), v, input_precision=PRECISION)
        best = higher
    if WHOLE:
        y = mixed / total[:, None]
        tl.store(out + at[:, None] * D + d, y.to(q.dtype), mask=mine[:, None] & (d < D))
    else:
        place = at * parts + part
        tl.store(out + place[:, None] * D + d, mixed, mask=mine[:, None] & (d < D))
        tl.store(part_max + place, best, mask=mine)
        tl.store(part_sum + place, total, mask=mine)


@triton.jit
def _join(
    parts_out, part_max, part_sum, out, parts,
    D: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_P: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    head = tl.program_id(0).to(tl.int64)
    p = tl.arange(0, BLOCK_P)
    d = tl.arange(0, BLOCK_D)
    best = tl.load(part_max + head * parts + p, mask=p < parts, other=-float("inf"))
    weight = tl.exp(best - tl.max(best, 0))
    total = tl.sum(weight * tl.load(part_sum + head * parts + p, mask=p < parts, other=0.0), 0)
    filled = (p[:, None] < parts) & (d < D)
    mixed = tl.load(parts_out + (head * parts + p[:, None]) * D + d, mask=filled, other=0.0)
    y = tl.sum(mixed * weight[:, None], 0) / total
    tl.store(out + head * D + d, y.to(out.dtype.element_ty), mask=d < D)


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    positions: Tensor,
    length: int,
    layer: Layer,
    network: Network,
) -> Tensor:
    """(B, H · D) attention of queries (B, H, D).

    Args:
        keys, values: (slots, H_kv, length of a slot, D); row b is slot b.
        positions: (B,) of the rows' last tokens, which are in the cache.
        length: beyond every position; says how the work is split.
    """
    rows, heads, size = queries.shape
    out = queries.new_empty(rows, heads * size)
    wanted = max(1, PROGRAMS // (rows * network.kv_heads))
    parts = min(wanted, -(-length // LEAST_SPLIT))
    split = -(-length // parts)
    block_d = max(16, triton.next_power_of_2(size))  # the least that a product takes
    precise = queries.dtype == torch.float32
    block_t = 32 if block_d > 128 or precise else BLOCK_T
    split = -(-split // block_t) * block_t
    parts = -(-length // split)
    whole = parts == 1
    partial = out if whole else queries.new_empty(rows, heads, parts, size, dtype=torch.float32)
    sums = out if whole else queries.new_empty(2, rows, heads, parts, dtype=torch.float32)
    _attend[(rows, network.kv_heads, parts)](
        queries, keys, values, positions, partial, sums[0], sums[-1],
        layer.scale, layer.softcap or 1.0, keys.shape[2], split,
        HEADS=heads, KV=network.kv_heads, D=size, WINDOW=layer.window or 0,
        CAPPED=layer.softcap is not None, WHOLE=whole,
        PRECISION="ieee" if precise else "tf32",
        GROUP=max(16, triton.next_power_of_2(heads // network.kv_heads)),
        BLOCK_D=block_d, BLOCK_T=block_t, num_warps=WARPS, num_stages=STAGES, **early(queries),
    )  # fmt: skip
    if not whole:
        _join[(rows * heads,)](
            partial, sums[0], sums[1], out, parts,
            D=size, BLOCK_D=block_d, BLOCK_P=triton.next_power_of_2(parts), num_warps=1,
            **early(queries),
        )  # fmt: skip
    return out
