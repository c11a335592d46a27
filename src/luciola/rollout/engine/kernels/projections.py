"""Matrix products of a few rows with what stands before and after them in the same kernel.

For narrow models, whose products take less time than launching what surrounds them: the norm before
(its factor per row is applied to the product, after the weight's to the input), the rotation and
the cache behind queries and keys, the gated activation, the residual. Wide models use the library's
products, which read weights as fast as memory allows.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from luciola.rollout.engine.kernels.launching import early, follow
from luciola.rollout.engine.kernels.norms import activate
from luciola.rollout.engine.network import Layer, Network

FEW, MANY = 16, 64
"""Rows up to which tiles are of the first and second kind below."""
TILES: dict[str, tuple[tuple[int, ...], ...]] = {
    "qkv": ((16, 0, 64, 4, 4), (16, 0, 64, 4, 4), (16, 0, 64, 4, 4)),
    "up": ((16, 32, 64, 4, 4), (16, 32, 64, 4, 4), (64, 64, 64, 8, 3)),
    "out": ((16, 16, 64, 4, 4), (16, 32, 64, 4, 4), (64, 32, 64, 4, 4)),
    "down": ((16, 16, 128, 4, 4), (64, 16, 128, 4, 4), (64, 32, 128, 4, 4)),
}
"""BLOCK_M, BLOCK_N, BLOCK_K, warps and stages, measured on an H100 with SmolLM2-135M's shape."""


def tiles(kind: str, rows: int) -> dict[str, int]:
    """What a product of so many rows is launched with."""
    M, N, K, warps, stages = TILES[kind][(rows > FEW) + (rows > MANY)]
    sizes = {"BLOCK_M": M, "BLOCK_K": K, "num_warps": warps, "num_stages": stages}
    return sizes | ({"BLOCK_N": N} if N else {})


@triton.jit
def _norm_qkv(
    x, weight, bias, gamma, positions, cos, sin, query_norm, key_norm, queries, keys, values,
    rows, width, eps, offset, head_eps, head_offset, length,
    HEADS: tl.constexpr, KV: tl.constexpr, HALF: tl.constexpr, BIAS: tl.constexpr,
    NORMS: tl.constexpr, TURN: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_K: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    m = (tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    head = tl.program_id(1)
    here = m < rows
    half = tl.arange(0, HALF)
    upper = head * 2 * HALF + half
    lower = upper + HALF
    first = tl.zeros([BLOCK_M, HALF], tl.float32)
    second = tl.zeros([BLOCK_M, HALF], tl.float32)
    square = tl.zeros([BLOCK_M], tl.float32)
    for start in range(0, width, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = k < width
        a = tl.load(x + m[:, None] * width + k, mask=here[:, None] & inside, other=0.0)
        y = a.to(tl.float32)
        square += tl.sum(y * y, 1)
        g = tl.load(gamma + k, mask=inside, other=0.0).to(tl.float32) + offset
        y = (y * g).to(a.dtype)
        w = tl.load(weight + upper[None] * width + k[:, None], mask=inside[:, None], other=0.0)
        first += tl.dot(y, w, input_precision=PRECISION)
        w = tl.load(weight + lower[None] * width + k[:, None], mask=inside[:, None], other=0.0)
        second += tl.dot(y, w, input_precision=PRECISION)
    scale = tl.rsqrt(square / width + eps)[:, None]
    first = first * scale
    second = second * scale
    if BIAS:
        first += tl.load(bias + upper).to(tl.float32)
        second += tl.load(bias + lower).to(tl.float32)
    position = tl.load(positions + m, mask=here, other=0).to(tl.int64)
    kind = queries.dtype.element_ty
    if head < HEADS + KV:
        if NORMS:
            if head < HEADS:
                by = query_norm
            else:
                by = key_norm
            both = tl.sum(first * first, 1) + tl.sum(second * second, 1)
            scale = tl.rsqrt(both / (2 * HALF) + head_eps)[:, None]
            first = first * scale * (tl.load(by + half).to(tl.float32) + head_offset)
            second = second * scale * (tl.load(by + HALF + half).to(tl.float32) + head_offset)
        if TURN:
            place = position[:, None] * HALF + half
            c = tl.load(cos + place, mask=here[:, None], other=1.0)
            s = tl.load(sin + place, mask=here[:, None], other=0.0)
            turned = first * c - second * s
            second = second * c + first * s
            first = turned
    if head < HEADS:
        to = queries + (m * HEADS + head) * 2 * HALF
    else:
        if head < HEADS + KV:
            to = keys + ((m * KV + head - HEADS) * length + position) * 2 * HALF
        else:
            to = values + ((m * KV + head - HEADS - KV) * length + position) * 2 * HALF
    tl.store(to[:, None] + half, first.to(kind), mask=here[:, None])
    tl.store(to[:, None] + HALF + half, second.to(kind), mask=here[:, None])


def norm_qkv(
    x: Tensor,
    layer: Layer,
    network: Network,
    turns: tuple[Tensor, Tensor] | None,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    config: dict[str, int] | None = None,
) -> Tensor:
    """Norm, product, rotation and cache; returns queries (B, H, D). Arguments as of
    `rotary.rotate_store`, x (B, width) before the norm.
    """
    rows, width = x.shape
    queries = x.new_empty(rows, network.heads, network.head_size)
    norms = layer.query_norm
    cos, sin = turns if turns is not None else (x, x)
    options = config or tiles("qkv", rows)
    grid = (triton.cdiv(rows, options["BLOCK_M"]), network.heads + 2 * network.kv_heads)
    _norm_qkv[grid](
        x, layer.qkv.weight, x if layer.qkv.bias is None else layer.qkv.bias,
        layer.before_attention.weight, positions, cos, sin,
        x if norms is None else norms.weight,
        x if layer.key_norm is None else layer.key_norm.weight,
        queries, keys, values,
        rows, width, layer.before_attention.eps, layer.before_attention.offset,
        0.0 if norms is None else norms.eps, 0.0 if norms is None else norms.offset,
        keys.shape[2],
        HEADS=network.heads, KV=network.kv_heads, HALF=network.head_size // 2,
        BIAS=layer.qkv.bias is not None, NORMS=norms is not None, TURN=turns is not None,
        PRECISION=precision(x), **options, **early(x),
    )  # fmt: skip
    return queries


@triton.jit
def _norm_gated(
    x, weight, gamma, out, rows, width, inner, eps, offset,
    SILU: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    m = (tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    n = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    here, there = m < rows, n < inner
    gate = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    value = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    square = tl.zeros([BLOCK_M], tl.float32)
    for start in range(0, width, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = k < width
        a = tl.load(x + m[:, None] * width + k, mask=here[:, None] & inside, other=0.0)
        y = a.to(tl.float32)
        square += tl.sum(y * y, 1)
        g = tl.load(gamma + k, mask=inside, other=0.0).to(tl.float32) + offset
        y = (y * g).to(a.dtype)
        filled = inside[:, None] & there
        w = tl.load(weight + n[None] * width + k[:, None], mask=filled, other=0.0)
        gate += tl.dot(y, w, input_precision=PRECISION)
        w = tl.load(weight + (n[None] + inner) * width + k[:, None], mask=filled, other=0.0)
        value += tl.dot(y, w, input_precision=PRECISION)
    scale = tl.rsqrt(square / width + eps)[:, None]
    y = activate(gate * scale, SILU) * value * scale
    tl.store(out + m[:, None] * inner + n, y.to(out.dtype.element_ty), mask=here[:, None] & there)


def norm_gated(
    x: Tensor, layer: Layer, *, silu: bool, config: dict[str, int] | None = None
) -> Tensor:
    """(B, I) activation(gate) · value after the norm before the MLP."""
    rows, width = x.shape
    inner = len(layer.up.weight) // 2
    out = x.new_empty(rows, inner)
    options = config or tiles("up", rows)
    grid = (triton.cdiv(rows, options["BLOCK_M"]), triton.cdiv(inner, options["BLOCK_N"]))
    _norm_gated[grid](
        x, layer.up.weight, layer.before_mlp.weight, out, rows, width, inner,
        layer.before_mlp.eps, layer.before_mlp.offset,
        SILU=silu, PRECISION=precision(x), **options, **early(x),
    )  # fmt: skip
    return out


@triton.jit
def _project_add(
    a, weight, x, out, rows, inner, width, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    m = (tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)).to(tl.int64)
    n = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    here, there = m < rows, n < width
    y = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for start in range(0, inner, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = k < inner
        left = tl.load(a + m[:, None] * inner + k, mask=here[:, None] & inside, other=0.0)
        right = tl.load(
            weight + n[None] * inner + k[:, None], mask=inside[:, None] & there, other=0.0
        )
        y += tl.dot(left, right, input_precision=PRECISION)
    place = m[:, None] * width + n
    filled = here[:, None] & there
    y += tl.load(x + place, mask=filled, other=0.0).to(tl.float32)
    tl.store(out + place, y.to(out.dtype.element_ty), mask=filled)


def project_add(
    a: Tensor, weight: Tensor, x: Tensor, config: dict[str, int] | None = None
) -> Tensor:
    """x + a W^T: a (B, I), weight (width, I), x (B, width)."""
    rows, inner = a.shape
    width = len(weight)
    out = torch.empty_like(x)
    options = config or tiles("out" if inner <= width else "down", rows)
    grid = (triton.cdiv(rows, options["BLOCK_M"]), triton.cdiv(width, options["BLOCK_N"]))
    _project_add[grid](
        a, weight, x, out, rows, inner, width, PRECISION=precision(x), **options, **early(x)
    )
    return out


def precision(x: Tensor) -> Any:
    """Of a product in float32: exact; in half precision the word means nothing."""
    return "ieee" if x.dtype == torch.float32 else "tf32"
