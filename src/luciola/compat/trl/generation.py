"""Answers by transformers' own `generate`, so that every one of its settings works as before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from luciola.compat.trl.errors import ClassicError
from luciola.compat.trl.sequences import Sequences

Sampler = Callable[[], int]


def generate(
    model: Any,
    tokenizer: Any,
    queries: Tensor | list[Tensor],
    *,
    length_sampler: Sampler | None,
    batch_size: int,
    return_prompt: bool,
    settings: dict[str, Any],
) -> Any:
    """Answers to one query, (1, T), or to a list of them, a list of (T,).

    Args:
        model: whose `generate` is called, in evaluation mode.
        queries: (T,) token ids, or a list of such.
        length_sampler: gives max_new_tokens, once per chunk.
        batch_size: queries of a list in the model at once; they are padded on the left.
        return_prompt: False: the answers alone.
        settings: for transformers' `generate`.

    Raises: ClassicError where a query has not one dimension.
    """
    model.eval()
    settings = {"pad_token_id": pad_id(tokenizer), **settings}
    if isinstance(queries, list):
        answered: list[Tensor] = []
        size = max(1, min(len(queries), batch_size))
        for start in range(0, len(queries), size):
            if length_sampler is not None:
                settings["max_new_tokens"] = int(length_sampler())
            chunk = queries[start : start + size]
            answered += _answer(model, tokenizer, chunk, return_prompt, settings)
        return answered
    if queries.ndim != 1:
        raise ClassicError(
            f"generate takes one query of shape (T,) or a list of such, got {tuple(queries.shape)}"
        )
    if length_sampler is not None:
        settings["max_new_tokens"] = int(length_sampler())
    found = _generated(model, queries[None].to(model.device), None, settings)
    return found if return_prompt else found[:, len(queries) :]


def _answer(
    model: Any,
    tokenizer: Any,
    queries: Sequence[Tensor],
    return_prompt: bool,
    settings: dict[str, Any],
) -> list[Tensor]:
    """Answers to one chunk, without padding, ending at their first end token."""
    empty = [query[:0] for query in queries]
    padded = Sequences.of(
        queries, empty, None, pad_id=pad_id(tokenizer), left=True, device=model.device
    )
    found = _generated(model, padded.ids, padded.attention, settings)
    width = padded.ids.shape[1]
    answers = [up_to_end(row[width:], tokenizer.eos_token_id) for row in found]
    if not return_prompt:
        return answers
    pairs = zip(queries, answers, strict=True)
    return [torch.cat([query.to(answer.device), answer]) for query, answer in pairs]


def _generated(
    model: Any, ids: Tensor, attention: Tensor | None, settings: dict[str, Any]
) -> Tensor:
    mask = torch.ones_like(ids) if attention is None else attention
    with torch.no_grad():
        return model.generate(input_ids=ids, attention_mask=mask, **settings)


def up_to_end(ids: Tensor, end_id: int | None) -> Tensor:
    """(T,) ids up to and including the first end token."""
    ends = (ids == end_id).nonzero() if end_id is not None else ids[:0]
    return ids[: int(ends[0]) + 1] if len(ends) else ids


def pad_id(tokenizer: Any) -> int:
    """The pad token, or where there is none the end token: masks come from lengths, so it may be
    any.
    """
    found = tokenizer.pad_token_id
    return int(found if found is not None else tokenizer.eos_token_id or 0)
