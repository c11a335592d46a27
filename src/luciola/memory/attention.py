"""Attention as the GPU's flash kernel keeps memory, for steps on fake tensors anywhere.

Forward it keeps queries, keys, values, the output, all in the type of the products, and a float32
number a head and token; backward it makes three gradients and a float32 sum for the queries'.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import AttentionMaskInterface
from transformers.modeling_utils import AttentionInterface

from luciola.models.attention import computing_dtype
from luciola.models.varlen import grouped_heads_possible

NAME = "luciola-simulated"


class _Flash(torch.autograd.Function):
    """(T, H, D) queries and (T, H_kv, D) keys and values to (T, H, D); shapes only."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = query.new_empty(query.shape)
        sums = query.new_empty(query.shape[:2], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, sums)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _, sums = ctx.saved_tensors
        accumulated = query.new_empty(query.shape, dtype=torch.float32)
        weighted = torch.empty_like(sums)
        made = tuple(torch.empty_like(x) for x in (query, key, value))
        del accumulated, weighted
        return made[0], made[1], made[2]


def simulated(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Takes the place of `luciola.models.attention.attend`; the same shapes."""
    kind = computing_dtype(query)
    rows, heads, length, width = query.shape
    parts = [x.to(kind).transpose(1, 2).flatten(0, 1) for x in (query, key, value)]
    groups = heads // key.shape[1]
    if groups > 1 and not grouped_heads_possible():
        parts[1:] = [x.repeat_interleave(groups, 1) for x in parts[1:]]
    out: Tensor = _Flash.apply(*parts)
    return out.view(rows, length, heads, width), None


def register() -> str:
    """Make the stand-in known to transformers; returns its name."""
    AttentionInterface.register(NAME, simulated)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
    return NAME
