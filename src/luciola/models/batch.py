"""Rows as tensors: what one forward pass of a causal language model is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from luciola.data.rows import Row
from luciola.models.attention import Layout, placeholder_mask


@dataclass(frozen=True)
class Batch:
    """One micro-batch on its device.

    Args:
        ids: (B, T) int64; positions: (B, T) int64.
        mask: padded: (B, T) bool, True on real tokens; else None.
        layout: how a flat row attends; None where padded.
        rows, columns: (N,) int64, the output that predicts each trained token.
        labels: (N,) int64, the trained tokens.
        num_tokens: real tokens the model computes.
        examples: which examples of the step these are.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor | None
    layout: Layout | None
    rows: Tensor
    columns: Tensor
    labels: Tensor
    num_tokens: int
    examples: tuple[int, ...] = ()

    @classmethod
    def of(cls, row: Row, device: torch.device | str) -> Batch:
        """Move a row to `device`."""
        if row.parents is None:
            lengths = torch.tensor(row.lengths)
            mask = torch.arange(row.ids.shape[1])[None, :] < lengths[:, None]
            layout = None
        else:
            mask, layout = None, Layout.of(row.lengths, row.parents, device)

        def move(array: Any) -> Tensor:
            return torch.as_tensor(array).to(device, non_blocking=True)

        return cls(
            ids=move(row.ids),
            positions=move(row.positions),
            mask=None if mask is None else mask.to(device),
            layout=layout,
            rows=move(row.source[:, 0]),
            columns=move(row.source[:, 1]),
            labels=move(row.labels),
            num_tokens=sum(row.lengths),
            examples=row.examples,
        )


def logits_of(model: torch.nn.Module, batch: Batch) -> Tensor:
    """(N, V) logits that predict the trained tokens; the output head runs only where they are.

    Args:
        model: a causal language model of transformers, bare or inside peft.
        batch: padded, or flat with a layout (then the model's attention must be "luciola").
    """
    if batch.layout is not None:
        mask, extra = placeholder_mask(batch.ids.device), {"layout": batch.layout}
        kept, inverse = batch.columns, None
    else:
        mask, extra = batch.mask, {}  # type: ignore[assignment]
        kept, inverse = torch.unique(batch.columns, return_inverse=True)
    logits: Tensor = model(
        input_ids=batch.ids,
        position_ids=batch.positions,
        attention_mask=mask,
        use_cache=False,
        logits_to_keep=kept,
        **extra,
    ).logits
    return logits[0] if inverse is None else logits[batch.rows, inverse]
