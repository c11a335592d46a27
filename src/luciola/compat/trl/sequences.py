"""Questions and answers as one padded batch, and what is checked of them first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from luciola.compat.trl.errors import ClassicError


@dataclass(frozen=True)
class Sequences:
    """Queries with their responses, padded to the longest of the batch.

    Args:
        ids: (B, L) int64.
        attention: (B, L) int64, 1 on real tokens.
        mask: (B, L - 1) bool, True where the next token is one of the response that counts.
    """

    ids: Tensor
    attention: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Any) -> Sequences:
        """Some of the rows, by slice or by indices."""
        return Sequences(self.ids[index], self.attention[index], self.mask[index])

    @classmethod
    def of(
        cls,
        queries: Sequence[Tensor],
        responses: Sequence[Tensor],
        response_masks: Sequence[Tensor] | None,
        *,
        pad_id: int,
        left: bool,
        device: torch.device,
    ) -> Sequences:
        """Join and pad.

        Args:
            queries, responses: (Q,) and (R,) int64 each.
            response_masks: (R,) each, 0 on tokens of a response that the policy did not choose.
            left: pad on the left.
        """
        length = max(len(q) + len(r) for q, r in zip(queries, responses, strict=True))
        ids = torch.full((len(queries), length), pad_id, dtype=torch.int64, device=device)
        attention = torch.zeros_like(ids)
        mask = torch.zeros(ids.shape, dtype=torch.bool, device=device)
        for row, (query, response) in enumerate(zip(queries, responses, strict=True)):
            real = len(query) + len(response)
            start = length - real if left else 0
            ids[row, start : start + real] = torch.cat([query.to(device), response.to(device)])
            attention[row, start : start + real] = 1
            counts = True if response_masks is None else response_masks[row].to(device).bool()
            mask[row, start + len(query) : start + real] = counts
        return cls(ids, attention, mask[:, 1:])


def checked(
    batch_size: int, queries: Any, responses: Any, scores: Any, response_masks: Any
) -> Tensor:
    """(B,) float32 scores, once everything has been found to be as `step` wants it.

    Raises: ClassicError naming the argument, and the element where it is one.
    """
    arguments = {"queries": queries, "responses": responses, "scores": scores}
    if response_masks is not None:
        arguments["response_masks"] = response_masks
    for name, value in arguments.items():
        _check_list(name, value, batch_size)
    for row in range(batch_size):
        _check_row(row, queries[row], responses[row])
        if response_masks is not None:
            _check_mask(row, response_masks[row], responses[row])
    return torch.stack([_one_score(row, score) for row, score in enumerate(scores)])


def _check_list(name: str, value: Any, batch_size: int) -> None:
    if not isinstance(value, list):
        raise ClassicError(f"{name} must be a list of tensors, got {type(value).__name__}")
    for row, element in enumerate(value):
        if not isinstance(element, Tensor):
            raise ClassicError(
                f"elements of {name} must be tensors, got {type(element).__name__} at {row}"
            )
    if len(value) != batch_size:
        raise ClassicError(
            f"batch_size is {batch_size}, which does not match the {len(value)} examples of {name}",
            remedy="Give `step` exactly batch_size elements; the trainer's own dataloader does.",
        )


def _check_row(row: int, query: Tensor, response: Tensor) -> None:
    for name, tensor in (("queries", query), ("responses", response)):
        if tensor.ndim != 1 or not len(tensor):
            raise ClassicError(
                f"{name}[{row}] must be (T,) token ids with at least one, got shape "
                f"{tuple(tensor.shape)}"
            )


def _check_mask(row: int, mask: Tensor, response: Tensor) -> None:
    if mask.shape != response.shape:
        raise ClassicError(
            f"response_masks[{row}] has shape {tuple(mask.shape)} and its response "
            f"{tuple(response.shape)}"
        )
    if not mask.any():
        raise ClassicError(
            f"response_masks[{row}] leaves no token of the response for its score",
            remedy="Mask only what the policy did not write, and leave such an answer out.",
        )


def _one_score(row: int, score: Tensor) -> Tensor:
    if score.ndim > 1:
        raise ClassicError(f"scores must be one number each, got {score.ndim}-D at {row}")
    if score.numel() != 1:
        raise ClassicError(f"scores must be one number each, got {score.numel()} at {row}")
    value = score.detach().reshape(()).float().cpu()
    if not torch.isfinite(value):
        raise ClassicError(f"scores[{row}] is {value.item()}", remedy="Look at that reward.")
    return value
