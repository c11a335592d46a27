"""Words that become tokens of their own: in the tokenizer, in the embeddings, and in what is saved.

With an adapter only their rows are trained, at both ends where the embeddings are not tied; they
are saved with the adapter, and whoever loads it makes the base's embeddings as long again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken

INDICES = "trainable_token_indices"


def with_tokens(tokenizer: Any, words: Sequence[str]) -> Any:
    """The tokenizer with these words as special tokens; those that it has stay as they are."""
    known = tokenizer.get_vocab()
    new = [AddedToken(word, special=True, normalized=False) for word in words if word not in known]
    tokenizer.add_tokens(new, special_tokens=True)
    return tokenizer


@torch.no_grad()
def grow(model: Any, rows: int) -> None:
    """Give a model embeddings for `rows` tokens, if it has fewer; a new row is the mean of all."""
    before = model.get_input_embeddings().weight.shape[0]
    if rows <= before:
        return
    model.resize_token_embeddings(rows, mean_resizing=False)
    for end in (model.get_input_embeddings(), model.get_output_embeddings()):
        if end is not None and not end.weight.is_meta:
            end.weight[before:] = end.weight[:before].float().mean(0).to(end.weight.dtype)


def indices(model: Any, ids: Sequence[int]) -> dict[str, list[int]]:
    """What peft trains of the embeddings: these rows, by the names of the modules.

    Tied ends are one, which peft keeps tied; otherwise the output head has rows of its own.
    """
    inner, outer = model.get_input_embeddings(), model.get_output_embeddings()
    ends = [inner] if outer is None or outer.weight is inner.weight else [inner, outer]
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(end)]: list(ids) for end in ends}


def grow_for(model: Any, settings_file: Path) -> None:
    """Make a base's embeddings as long as they were when an adapter with new tokens was trained."""
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    trained = settings.get(INDICES)
    if trained:
        lists = trained.values() if isinstance(trained, dict) else [trained]
        grow(model, max(max(ids) for ids in lists) + 1)
