"""Attention for rows that hold several examples: packed side by side, or as branches of one prefix.

A row is flat, `(1, T)`. A `Layout` says which tokens belong together: every segment attends
causally to itself and to all of its parent segment, and to nothing else. One attention function,
registered with transformers as "luciola", reads it; without a layout it is plain SDPA, so that the
same model object also generates. On the GPU it runs a variable-length flash kernel over gathered
keys; on a CPU one operator that goes segment by segment (`segments.py`), so that a layer compiles
into one graph for all rows. What neither can do (dropout, caps, sinks) is SDPA, or plain
arithmetic, for each segment. Trees deeper than prefix and branches are left out.

Models are called with `use_cache=False` and a 4-D placeholder as attention mask: transformers hands
a 4-D mask through untouched, so no dense mask of T x T is ever built, and positions that restart
are not read as a second, different description of the packing.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

from luciola.models.attention_scores import Scores, full_mask, repeated
from luciola.models.layout import ROOT, Layout
from luciola.models.segments import attend_segments
from luciola.models.varlen import varlen_attention, windows_possible

NAME = "luciola"


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: Layout | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """The attention function registered with transformers; see the module's docstring.

    Args:
        query: (B, H, T, D); key and value: (B, H_kv, T, D). With a layout B is 1.
        scaling: factor on the scores; None: 1 / sqrt(D).
        dropout: probability of dropping an attention weight.
        layout: None: plain causal attention under `attention_mask`.
        sliding_window: tokens each one sees, itself included; None: all before it.
        softcap: scores s become softcap · tanh(s / softcap), as in Gemma 2; None: as they are.
        s_aux: (H,) each head's sink, one more score that takes weight and gives nothing; None:
            none. gpt-oss has them.

    Returns: (B, T, H, D) and None (attention weights are never returned).
    Raises: ValueError for attention that cannot be isolated here (a position bias).
    """
    scores = None
    if softcap is not None or s_aux is not None:
        scores = Scores(scaling or query.shape[-1] ** -0.5, softcap, s_aux)
    if layout is None and scores is not None:
        grouped = repeated(key, query), repeated(value, query)
        out = scores.weigh(query, *grouped, full_mask(attention_mask, query, key), dropout)
        return out.transpose(1, 2), None
    if layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **others
        )
    _refuse_position_bias(others)
    window = sliding_window if sliding_window and sliding_window < layout.longest_key else None
    if scores is not None or dropout:
        return _by_segment(query, key, value, layout, scores or scaling, dropout, window), None
    kind = computing_dtype(query)
    if query.is_cuda and kind in (torch.bfloat16, torch.float16):
        q, k, v = query.to(kind), key.to(kind), value.to(kind)
        return _varlen(q, k, v, layout, scaling, window), None
    if query.device.type == "cpu" and query.shape[-1] == value.shape[-1]:
        return _on_cpu(query, key, value, layout, scaling, window), None
    return _by_segment(query, key, value, layout, scaling, dropout, window), None


def _refuse_position_bias(others: dict[str, Any]) -> None:
    if others.get("position_bias") is not None:
        raise ValueError("packed rows do not support attention with position_bias")


def computing_dtype(query: Tensor) -> torch.dtype:
    """The type that attention is computed in: autocast's where that is on, whatever the query's.

    Rotary embeddings turn queries back into float32 where the weights are float32. SDPA would cast
    them once more, and its cuDNN kernel plans anew for every segment length: 4 s a step on an H100.
    """
    if torch.is_autocast_enabled(query.device.type):
        return torch.get_autocast_dtype(query.device.type)
    return query.dtype


def _on_cpu(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    scaling: float | None,
    window: int | None,
) -> Tensor:
    """(1, T, H, D) computed in float32, whose backward pass is a third faster here."""
    if query.shape[1] != key.shape[1]:
        key, value = repeated(key, query), repeated(value, query)
    out, _ = attend_segments(
        query.float(), key.float(), value.float(), layout.queries, layout.keys, layout.key_index,
        scaling, window or 0,
    )  # fmt: skip
    return out.to(query.dtype).transpose(1, 2)


# a list of lengths differs from step to step: traced, each would be compiled anew
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _by_segment(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    scores: Scores | float | None,
    dropout: float,
    window: int | None,
) -> Tensor:
    """(1, T, H, D) attention of each segment on its own keys, one call a segment.

    `scores` is the factor on the scores for SDPA, or what is done with them without it.
    """
    if query.shape[1] != key.shape[1]:
        key, value = repeated(key, query), repeated(value, query)
    lengths = list(layout.lengths)
    # split, not slices: the gradient of a slice is a whole zero row, that of a split one
    # concatenation
    queries, keys, values = (x.split(lengths, dim=2) for x in (query, key, value))
    pieces = []
    for index, parent in enumerate(layout.parents):
        k, v = keys[index], values[index]
        if parent != ROOT:
            k, v = torch.cat([keys[parent], k], 2), torch.cat([values[parent], v], 2)
        mask = _causal_mask(lengths[index], k.shape[2], window, query.device)
        pieces.append(_piece(queries[index], k, v, mask, scores, dropout))
    return torch.cat(pieces, 2).transpose(1, 2)


def _piece(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scores: Scores | float | None,
    dropout: float,
) -> Tensor:
    if isinstance(scores, Scores):
        return scores.weigh(query, key, value, full_mask(mask, query, key), dropout)
    if query.device.type == "cpu":  # in float32, as `_on_cpu`
        query, key, value, kind = query.float(), key.float(), value.float(), query.dtype
        with torch.autocast("cpu", enabled=False):
            return _sdpa(query, key, value, mask, scores, dropout).to(kind)
    return _sdpa(query, key, value, mask, scores, dropout)


def _sdpa(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float | None,
    dropout: float,
) -> Tensor:
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, dropout_p=dropout, scale=scale
    )


def _causal_mask(
    queries: int, keys: int, window: int | None, device: torch.device
) -> Tensor | None:
    """(queries, keys) bool, the last query seeing the last key; None where plain causal attention
    is meant.
    """
    if queries == keys and window is None:
        return None
    mask = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)
    return mask if window is None else mask.triu(keys - queries - window + 1)


def _varlen(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    scaling: float | None,
    window: int | None,
) -> Tensor:
    """(1, T, H, D) by torch's variable-length flash kernel; causal from the last key backwards."""
    if window is not None and not windows_possible():
        return _by_segment(query, key, value, layout, scaling, 0.0, window)
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (T, H, D)
    if layout.key_index is not None:
        k, v = k[layout.key_index], v[layout.key_index]
    return varlen_attention(q, k, v, layout, scaling, window).unsqueeze(0)


def placeholder_mask(device: torch.device) -> Tensor:
    """The 4-D mask that transformers hands through and `attend` ignores beside a layout.

    All True, so that an attention that does not know layouts lets everything be seen, and is
    caught.
    """
    return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)


def register() -> str:
    """Make "luciola" known to transformers as an attention implementation; returns the name."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
