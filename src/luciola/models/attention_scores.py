"""Attention weights where SDPA cannot compute them: capped scores, and sinks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """How scores become weights where SDPA cannot: (H, T, K) of them are kept in memory.

    Args:
        scaling: factor on the scores.
        softcap, sinks: as `attend` says, there `s_aux`.
    """

    scaling: float
    softcap: float | None
    sinks: Tensor | None

    def weigh(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float
    ) -> Tensor:
        """(B, H, T, D) of queries (B, H, T, D), keys and values (B, H, K, D).

        `mask` is bool (True: seen) or added to the scores; broadcast to (B, H, T, K).
        """
        scores = (query @ key.transpose(2, 3)).float() * self.scaling
        if self.softcap is not None:
            scores = self.softcap * torch.tanh(scores / self.softcap)
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        elif mask is not None:
            scores = scores + mask
        if self.sinks is not None:
            sinks = self.sinks.float()[None, :, None, None].expand(*scores.shape[:3], 1)
            scores = torch.cat([scores, sinks], -1)
        weights = scores.softmax(-1).to(value.dtype)[..., : key.shape[2]]
        return F.dropout(weights, dropout) @ value


def full_mask(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """The mask that SDPA is not given where plain causal attention is meant."""
    if mask is not None or query.shape[2] == 1:
        return mask
    T, K = query.shape[2], key.shape[2]
    return torch.ones(T, K, dtype=torch.bool, device=query.device).tril(K - T)


def repeated(states: Tensor, query: Tensor) -> Tensor:
    """(B, H, K, D) of (B, H_kv, K, D): each group's heads share keys and values."""
    return states.repeat_interleave(query.shape[1] // states.shape[1], 1)
