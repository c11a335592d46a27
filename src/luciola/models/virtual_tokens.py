"""Which models have virtual tokens before the text, and their forward pass; without peft."""

from __future__ import annotations

from typing import Any

from torch import nn


def with_own_pass(model: nn.Module) -> nn.Module:
    """A peft model whose forward pass is that of `Prompted`, where it has virtual tokens."""
    if has_virtual_tokens(model):
        from luciola.models.prompted import Prompted

        model.__class__ = Prompted
    return model


def has_virtual_tokens(model: Any) -> bool:
    """Whether an adapter puts tokens before the text."""
    settings = getattr(model, "peft_config", {})
    return any(one.is_prompt_learning for one in settings.values())
