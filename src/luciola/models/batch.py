"""Rows as tensors: what one forward pass of a causal language model is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from luciola.data.rows import Row
from luciola.models.attention import placeholder_mask
from luciola.models.layout import Layout, moved


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
        kept: of a padded batch, what `kept_columns` says.
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
    kept: tuple[Tensor, Tensor] | None = None

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
            return moved(torch.as_tensor(array), device)

        columns = torch.as_tensor(row.source[:, 1])
        kept = torch.unique(columns, return_inverse=True)  # on the CPU: a GPU would be waited for

        return cls(
            ids=move(row.ids),
            positions=move(row.positions),
            mask=None if mask is None else move(mask),
            layout=layout,
            rows=move(row.source[:, 0]),
            columns=move(columns),
            labels=move(row.labels),
            num_tokens=sum(row.lengths),
            examples=row.examples,
            kept=(move(kept[0]), move(kept[1])) if layout is None else None,
        )


def kept_columns(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """The columns whose outputs are wanted, (K,) int64, and for a padded batch where in K each of
    the N trained tokens finds its own.
    """
    if batch.layout is not None:
        return batch.columns, None
    if batch.kept is not None:
        return batch.kept
    return torch.unique(batch.columns, return_inverse=True)


def pick(batch: Batch, outputs: Tensor, inverse: Tensor | None) -> Tensor:
    """(N, …) of outputs (B, K, …) that were computed at `kept_columns`."""
    return outputs[0] if inverse is None else outputs[batch.rows, inverse]


def model_inputs(batch: Batch) -> dict[str, Any]:
    """What the model is called with."""
    inputs: dict[str, Any] = {
        "input_ids": batch.ids,
        "position_ids": batch.positions,
        "attention_mask": None if batch.mask is None else batch.mask.long(),  # some compute with it
        "use_cache": False,
    }
    if batch.layout is not None:
        inputs["attention_mask"] = placeholder_mask(batch.ids.device)
        inputs["layout"] = batch.layout
    return inputs


def logits_of(model: torch.nn.Module, batch: Batch) -> Tensor:
    """(N, V) logits that predict the trained tokens; the output head runs only where they are.

    Args:
        model: a causal language model of transformers, bare or inside peft.
        batch: padded, or flat with a layout (then the model's attention must be "luciola").
    """
    kept, inverse = kept_columns(batch)
    logits: Tensor = model(**model_inputs(batch), logits_to_keep=kept).logits
    if logits.shape[1] != len(kept):  # this family computes them all, whatever it is asked
        logits = logits[:, kept]
    return pick(batch, logits, inverse)
