"""Attention of many sequences of different lengths in one call: torch's variable-length kernel."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn

OPTIONS = frozenset(inspect.signature(varlen_attn).parameters)
"""What this version's kernel can be asked for; looked up here, since a compiled layer cannot."""


@dataclass(frozen=True)
class Spans:
    """Where each sequence's queries and keys lie.

    Args:
        queries, keys: (sequences + 1,) int32, first places, and behind the last one.
        longest_query, longest_key: of all sequences.
    """

    queries: Tensor
    keys: Tensor
    longest_query: int
    longest_key: int

    @classmethod
    def of(cls, queries: Sequence[int], keys: Sequence[int], device: torch.device) -> Spans:
        """From lengths."""
        first, second = (
            torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)
            for lengths in (queries, keys)
        )
        return cls(first, second, max(queries), max(keys))


def windows_possible() -> bool:
    """Whether this torch's kernel knows sliding windows."""
    return "window_size" in OPTIONS


def grouped_heads_possible() -> bool:
    """Whether this torch's kernel takes fewer heads of keys than of queries; else they are
    repeated.
    """
    return "enable_gqa" in OPTIONS


def varlen_attention(
    query: Tensor, key: Tensor, value: Tensor, spans: Any, scale: float | None, window: int | None
) -> Tensor:
    """(T, H, D) causal from the last key backwards; needs a GPU and a half-precision type.

    Args:
        query: (T, H, D); key and value: (S, H_kv, D).
        spans: a `Spans`, or whatever else has its fields.
        scale: factor on the scores; None: 1 / sqrt(D).
        window: tokens each one sees, itself included; None: all before it.

    Raises: ValueError for a window where `windows_possible` says no.
    """
    grouped = query.shape[1] != key.shape[1]
    extra: dict[str, Any] = {}
    if grouped_heads_possible():
        extra["enable_gqa"] = grouped
    elif grouped:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if windows_possible():
        extra["window_size"] = (-1 if window is None else window - 1, 0)
    elif window is not None:
        raise ValueError("this torch's variable-length attention knows no windows")
    else:
        extra["is_causal"] = True
    out = varlen_attn(
        query, key, value, spans.queries, spans.keys, spans.longest_query, spans.longest_key,
        scale=scale, **extra,
    )  # fmt: skip
    assert isinstance(out, Tensor)  # no auxiliary outputs were asked for
    return out
