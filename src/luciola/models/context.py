"""How many tokens a model can see at once, known from its configuration before it is loaded."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from luciola.config.training import TrainingConfig
from luciola.models import gguf
from luciola.models.load import base_source, load_config

C = TypeVar("C", bound=TrainingConfig)

log = logging.getLogger(__name__)


def context_length(model: str | Path, *, trust_remote_code: bool = False) -> int | None:
    """Tokens that a model has positions for; None where its configuration sets no limit.

    Raises: ModelError if the model cannot be found.
    """
    source = base_source(model)
    if source.gguf_file:
        return gguf.context_length(source.path)
    config = load_config(source, trust_remote_code=trust_remote_code).get_text_config()
    return getattr(config, "max_position_embeddings", None)


def within_context(config: C) -> C:
    """The recipe with max_length no longer than its model's context, with a notice if it was.

    Beyond the context some models fail and the others answer nonsense in silence.
    """
    context = context_length(config.model, trust_remote_code=config.trust_remote_code)
    if context is None or config.max_length <= context:
        return config
    log.warning(
        "max_length=%d is more than the %d tokens that %s can see: examples are cut at %d",
        config.max_length,
        context,
        config.model,
        context,
    )
    return replace(config, max_length=context)
