"""Activations that are computed again in the backward pass instead of kept."""

from __future__ import annotations

from typing import Any

from luciola.models.switching import switched_again


def recompute_activations(model: Any) -> None:
    """Keep only each layer's input: less memory, about a third slower.

    Args:
        model: a causal language model of transformers, before it is adapted.
    """
    enable = getattr(model, "activation_checkpointing_enable", None)  # its name since 5.23
    (enable or model.gradient_checkpointing_enable)(
        {"use_reentrant": False, "context_fn": switched_again}
    )
    model.enable_input_require_grads()
