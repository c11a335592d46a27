"""Writing a trained model into a folder that plain transformers and peft load."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.models.load import base_source, load_config
from luciola.models.quiet import quiet
from luciola.models.source import CONFIG
from luciola.runs.atomic import replacing_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def save_model(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, folder: Path, *, name: str
) -> None:
    """Write weights (of an adapter only its own), configuration and tokenizer, whole or not at all.

    Args:
        model: a model of transformers, or one inside peft.
        tokenizer: with the chat template that the model was trained with.
        folder: replaced if it is there.
        name: the model the run began with; a fully trained one is kept in that model's type.

    Raises: StorageError on a full disk.
    """
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        with replacing_folder(folder) as temporary:
            _save_weights(model, temporary, name)
            tokenizer.save_pretrained(str(temporary))


def _save_weights(model: Any, folder: Path, name: str) -> None:
    if hasattr(model, "peft_config"):
        model.save_pretrained(str(folder), save_embedding_layers=False)
        return
    kept = original_dtype(name)
    weights = {n: t.to(kept) if t.is_floating_point() else t for n, t in model.state_dict().items()}
    before, model.config.dtype = model.config.dtype, kept
    try:
        model.save_pretrained(str(folder), state_dict=weights)
    finally:
        model.config.dtype = before


def original_dtype(name: str) -> torch.dtype:
    """The type that a model's weights were published in; float32 where its files do not say."""
    source = base_source(name)
    if source.gguf_file:
        return torch.float32
    kept = _written_dtype(source.path) if source.is_local else load_config(source).dtype
    return kept if isinstance(kept, torch.dtype) else torch.float32


def _written_dtype(folder: Path) -> torch.dtype | None:
    """As config.json says, read without the model's own code."""
    settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return getattr(torch, settings.get("dtype") or settings.get("torch_dtype") or "", None)
