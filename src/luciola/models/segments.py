"""Attention of each segment of a flat row on its own keys, as one operator of torch.

The operator takes tensors only, so that a compiled layer has no list of lengths to look at: it is
the same graph for every row. On a CPU it runs SDPA's kernel segment by segment, which computes only
what counts, and keeps what that kernel needs for its gradients. Left out: dropout, and other
devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

FORWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@torch.library.custom_op("luciola::segments", mutates_args=())
def attend_segments(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    queries: Tensor,
    keys: Tensor,
    key_index: Tensor | None,
    scale: float | None,
    window: int,
) -> tuple[Tensor, Tensor]:
    """Causal attention, the last query of a segment seeing the last of its keys.

    Args:
        query, key, value: (1, H, T, D) float32 on a CPU.
        queries, keys, key_index: as in `Layout`.
        scale: factor on the scores; None: 1 / sqrt(D).
        window: tokens each one sees, itself included; 0: all before it.

    Returns: (1, H, T, D), and (1, H, T) the logarithm of each query's sum of weights.
    """
    key, value = _gathered(key, key_index), _gathered(value, key_index)
    out, sums = torch.empty_like(query), query.new_empty(query.shape[:3])
    for q, k, causal, mask in _segments(queries, keys, window):
        parts = (query[:, :, q], key[:, :, k], value[:, :, k])
        made = FORWARD(*parts, 0.0, causal, attn_mask=mask, scale=scale)
        out[:, :, q] = made[0]
        sums[:, :, q] = _by_head(made[1], out.shape[1])
    return out, sums


@attend_segments.register_fake
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    queries: Tensor,
    keys: Tensor,
    key_index: Tensor | None,
    scale: float | None,
    window: int,
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(query), query.new_empty(query.shape[:3])


@torch.library.custom_op("luciola::segments_backward", mutates_args=())
def _backward_of_segments(
    outer: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    sums: Tensor,
    queries: Tensor,
    keys: Tensor,
    key_index: Tensor | None,
    scale: float | None,
    window: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value."""
    wide_key, wide_value = _gathered(key, key_index), _gathered(value, key_index)
    made = torch.empty_like(query), torch.empty_like(wide_key), torch.empty_like(wide_value)
    for q, k, causal, mask in _segments(queries, keys, window):
        found = BACKWARD(
            outer[:, :, q], query[:, :, q], wide_key[:, :, k], wide_value[:, :, k], out[:, :, q],
            sums[:, :, q], 0.0, causal, attn_mask=mask, scale=scale,
        )  # fmt: skip
        for whole, at, piece in zip(made, (q, k, k), found, strict=True):
            whole[:, :, at] = piece
    if key_index is None:
        return made
    of_key, of_value = torch.zeros_like(key), torch.zeros_like(value)
    return (
        made[0],
        of_key.index_add_(2, key_index, made[1]),
        of_value.index_add_(2, key_index, made[2]),
    )


@_backward_of_segments.register_fake
def _(
    outer: Tensor, query: Tensor, key: Tensor, value: Tensor, *others: Any
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, key, value, queries, keys, key_index, ctx.scale, ctx.window = inputs
    ctx.save_for_backward(query, key, value, *output, queries, keys, key_index)


def _backward(ctx: Any, outer: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    made = _backward_of_segments(outer.contiguous(), *ctx.saved_tensors, ctx.scale, ctx.window)
    return *made, None, None, None, None, None


attend_segments.register_autograd(_backward, setup_context=_keep)


def _gathered(states: Tensor, index: Tensor | None) -> Tensor:
    """(1, H, K, D): the keys of every segment, side by side."""
    return states if index is None else states.index_select(2, index)


def _segments(
    queries: Tensor, keys: Tensor, window: int
) -> Iterator[tuple[slice, slice, bool, Tensor | None]]:
    """Each segment's queries and keys, and the mask between them, where causal is not enough."""
    q, k = queries.tolist(), keys.tolist()
    for index in range(len(q) - 1):
        ours, theirs = slice(q[index], q[index + 1]), slice(k[index], k[index + 1])
        mask = _mask(ours.stop - ours.start, theirs.stop - theirs.start, window)
        yield ours, theirs, mask is None, mask


def _mask(queries: int, keys: int, window: int) -> Tensor | None:
    """(queries, keys) float32 to be added; None where plain causal attention is meant."""
    if queries == keys and not 0 < window < keys:
        return None
    seen = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    if window:
        seen = seen.triu(keys - queries - window + 1)
    return torch.zeros(queries, keys).masked_fill_(~seen, -torch.inf)


def _by_head(sums: Tensor, heads: int) -> Tensor:
    """(1, H, n), whichever way the kernel gives them."""
    return sums if sums.shape[1] == heads else sums.transpose(1, 2)
