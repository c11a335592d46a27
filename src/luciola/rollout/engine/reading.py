"""The parts that families share: norms, windows, rotary tables, told by what they compute."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from luciola.rollout.engine.network import Norm
from luciola.rollout.engine.weights import UnknownNetworkError, Weights

MOVING_ROPES = ("dynamic", "longrope")
"""Rotary embeddings whose frequencies depend on how long the text is."""
IGNORED = (nn.Dropout, nn.Identity)


def children(module: Any, *, known: set[str] | None = None) -> dict[str, Any]:
    """A module's parts by name, dropout apart.

    Raises: UnknownNetworkError for a part that is not among the known ones.
    """
    parts = {name: part for name, part in module.named_children() if not isinstance(part, IGNORED)}
    if known is not None and not parts.keys() <= known:
        unknown = ", ".join(sorted(parts.keys() - known))
        raise UnknownNetworkError(f"{type(module).__name__} has {unknown}")
    return parts


def embedding(module: Any) -> Any:
    if not isinstance(module, nn.Embedding):
        raise UnknownNetworkError(f"a {type(module).__name__} in the place of embeddings")
    return module


def activation(module: Any, config: Any) -> tuple[Callable[[Tensor], Tensor], str]:
    names = ("hidden_activation", "hidden_act", "activation_function")
    name = next((getattr(config, n) for n in names if getattr(config, n, None)), "")
    return module, str(name)


def windows(config: Any, layers: int) -> list[int | None]:
    """What each layer's tokens see, as transformers' own cache has it."""
    cached = DynamicCache(config=config).layers
    if not cached:
        return [None] * layers
    if len(cached) != layers:
        raise UnknownNetworkError("layers that share keys and values")
    found: list[int | None] = []
    for layer in cached:
        if type(layer) is DynamicSlidingWindowLayer:
            found.append(layer.sliding_window)
        elif type(layer) is DynamicLayer:
            found.append(None)
        else:
            raise UnknownNetworkError(f"a cache of {type(layer).__name__}")
    return found


def read_norm(module: Any, weights: Weights) -> Norm:
    """A norm, told by what it computes: RMS with weight w or 1 + w, or LayerNorm."""
    if type(module) is nn.LayerNorm:
        bias = None if module.bias is None else weights.vector(module, "bias")
        return Norm(weights.vector(module), bias, module.eps, "layer")
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    weight = getattr(module, "weight", None)
    if eps is None or weight is None or weight.ndim != 1:
        raise UnknownNetworkError(f"a {type(module).__name__} in the place of a norm")
    rows = torch.linspace(-2, 3, 3 * len(weight)).sin().reshape(3, -1).to(weight)
    with torch.no_grad():
        found = module(rows).float()
        x = rows.float()
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
        for offset in (0.0, 1.0):
            if torch.allclose(found, x * (weight.float() + offset), rtol=2e-2, atol=1e-2):
                return Norm(weights.vector(module), None, float(eps), "rms", offset)
    raise UnknownNetworkError(f"{type(module).__name__} is no norm that the engine knows")


def rotary_types(module: Any, config: Any) -> list[str]:
    """The kinds of layers that have a rotary table each; [""] where all share one."""
    kinds = getattr(module, "rope_type", "default")
    for kind in kinds.values() if isinstance(kinds, dict) else [kinds]:
        if kind in MOVING_ROPES:
            raise UnknownNetworkError(f"rotary embeddings of type {kind}")
    if "layer_type" in inspect.signature(module.forward).parameters:
        return sorted(set(config.layer_types))
    return [""]


def rotary_tables(module: Any, types: list[str]) -> Callable[[int], list[tuple[Tensor, Tensor]]]:
    """The model's own rotary module, asked for every position once."""

    @torch.no_grad()
    def tables(length: int) -> list[tuple[Tensor, Tensor]]:
        device = next(iter(module.buffers())).device
        positions = torch.arange(length, device=device)[None]
        x = torch.zeros(1, 1, device=device)
        found = []
        for kind in types:
            cos, sin = module(x, positions, kind) if kind else module(x, positions)
            half = cos.shape[-1] // 2
            if not torch.equal(cos[..., :half], cos[..., half:]):
                raise UnknownNetworkError("rotary embeddings that turn neighbours")
            found.append((cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()))
        return found

    return tables
