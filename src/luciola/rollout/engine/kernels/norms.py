"""Norms and gated activations, one program a row."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from luciola.rollout.engine import operations
from luciola.rollout.engine.kernels.launching import early, follow
from luciola.rollout.engine.network import Network, Norm

SILU = ("silu", "swish")
TANH_GELU = ("gelu_pytorch_tanh", "gelu_new", "gelu_fast")
"""Activations by their names in transformers."""


@triton.jit
def _norm(
    x, update, weight, bias, total, out, width, eps, offset,
    ADD: tl.constexpr, LAYER: tl.constexpr, BIAS: tl.constexpr, BLOCK: tl.constexpr,
    EARLY: tl.constexpr,
):  # fmt: skip
    follow(EARLY)
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < width
    values = tl.load(x + row * width + at, mask=inside, other=0.0)
    if ADD:
        more = tl.load(update + row * width + at, mask=inside, other=0.0)
        values = (values.to(tl.float32) + more.to(tl.float32)).to(values.dtype)
        tl.store(total + row * width + at, values, mask=inside)
    y = values.to(tl.float32)
    if LAYER:
        mean = tl.sum(y, 0) / width
        y = tl.where(inside, y - mean, 0.0)
    y = y * tl.rsqrt(tl.sum(y * y, 0) / width + eps)
    y = y * (tl.load(weight + at, mask=inside, other=0.0).to(tl.float32) + offset)
    if BIAS:
        y += tl.load(bias + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, y.to(values.dtype), mask=inside)


def norm(x: Tensor, by: Norm) -> Tensor:
    """As `operations.norm`."""
    return _launch(x, None, by)[1]


def add_norm(x: Tensor, update: Tensor, by: Norm) -> tuple[Tensor, Tensor]:
    """x + update, and that normalised."""
    return _launch(x, update, by)


def _launch(x: Tensor, update: Tensor | None, by: Norm) -> tuple[Tensor, Tensor]:
    x = x.contiguous()
    rows, width = x.shape
    out = torch.empty_like(x)
    total = x if update is None else torch.empty_like(x)
    block = triton.next_power_of_2(width)
    _norm[(rows,)](
        x, x if update is None else update, by.weight, by.weight if by.bias is None else by.bias,
        total, out, width, by.eps, by.offset,
        ADD=update is not None, LAYER=by.kind == "layer", BIAS=by.bias is not None, BLOCK=block,
        num_warps=min(8, max(1, block // 512)), **early(x),
    )  # fmt: skip
    return total, out


@triton.jit
def activate(x, SILU: tl.constexpr):
    """silu, or the approximation of GELU by a hyperbolic tangent; x in float32."""
    if SILU:
        return x / (1.0 + tl.exp(-x))
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return x * (1.0 - 1.0 / (tl.exp(2.0 * inner) + 1.0))


@triton.jit
def _gated(up, out, width, SILU: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr):
    follow(EARLY)
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    gate = tl.load(up + row * 2 * width + at, mask=inside, other=0.0)
    value = tl.load(up + row * 2 * width + width + at, mask=inside, other=0.0)
    y = activate(gate.to(tl.float32), SILU).to(gate.dtype).to(tl.float32) * value.to(tl.float32)
    tl.store(out + row * width + at, y.to(gate.dtype), mask=inside)


def activated(up: Tensor, network: Network) -> Tensor:
    """As `operations.activated`."""
    if not network.gated or network.activation_name not in (*SILU, *TANH_GELU):
        return operations.activated(up, network)
    return gated(up, silu=network.activation_name in SILU)


def gated(up: Tensor, *, silu: bool) -> Tensor:
    """(N, I) activation(gate) · value from both side by side, (N, 2 I)."""
    rows, width = len(up), up.shape[1] // 2
    out = up.new_empty(rows, width)
    block = 1024
    _gated[(rows, triton.cdiv(width, block))](up, out, width, SILU=silu, BLOCK=block, **early(up))
    return out
