"""create_reference_model: a frozen copy, which may share its first layers with the policy."""

from __future__ import annotations

from copy import deepcopy

from torch import nn

from luciola.compat.trl.errors import ClassicError

LAYER_PATTERNS = (
    "transformer.h.{layer}",
    "model.decoder.layers.{layer}",
    "gpt_neox.layers.{layer}",
    "model.layers.{layer}",
)
"""Where models of transformers keep their layers."""


def create_reference_model(
    model: nn.Module, num_shared_layers: int | None = None, pattern: str | None = None
) -> nn.Module:
    """A copy in evaluation mode that is never trained.

    Args:
        num_shared_layers: everything before this layer is shared with `model` instead of copied,
            and frozen in it too.
        pattern: how parameters of a layer are named, with {layer}; None: the usual names are tried.

    Raises: ClassicError where the layers cannot be found.
    """
    if num_shared_layers is None:
        return _frozen(deepcopy(model))
    shared = _before_layer(model, num_shared_layers, pattern)
    kept = {id(p): p for name, p in model.named_parameters() if name in shared}
    return _frozen(deepcopy(model, dict(kept)))  # what is in the memo counts as copied already


def _frozen(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model.eval()


def _before_layer(model: nn.Module, layer: int, pattern: str | None) -> set[str]:
    """Names of the parameters that come before layer number `layer`, embeddings included."""
    names = [name for name, _ in model.named_parameters()]
    for candidate in LAYER_PATTERNS if pattern is None else (pattern,):
        start = candidate.format(layer=layer) + "."
        first = next((i for i, name in enumerate(names) if start in f".{name}"), None)
        if first is not None:
            return set(names[:first])
    raise ClassicError(
        f"create_reference_model: no layer {layer} found to share up to",
        remedy="The model has fewer layers, or names them differently: pass "
        "pattern='path.to.layers.{layer}'.",
    )
