"""The engine's tensors, and how they follow a model that is trained on.

A matrix that is a plain parameter is used where it lies, so the trainer's updates in place are seen
without a copy. What is fused (queries, keys and values; gate and up), merged (LoRA), dequantised
(NF4) or turned is a copy with a fixed address, which `refresh` fills anew: graphs that were
captured over it stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from luciola.rollout.engine.network import Linear


class UnknownNetworkError(Exception):
    """What of a model the engine does not know; the plain sampler answers in its place."""


class Weights:
    """Tensors made from the modules of one model.

    Args:
        dtype: of every tensor.
        adopt: let the model's parameters become views of the fused copies, so that nothing is
            kept twice. Only for models that nobody trains or saves.
    """

    def __init__(self, dtype: torch.dtype, *, adopt: bool = False) -> None:
        self.dtype = dtype
        self.adopt = adopt
        self._copies: list[tuple[Tensor, Callable[[], Tensor]]] = []
        self._used: list[tuple[Callable[[], Tensor], int]] = []

    def moved(self) -> bool:
        """Whether parameters that are used where they lie now lie elsewhere."""
        return any(get().data_ptr() != address for get, address in self._used)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the weights as they are now."""
        for copy, source in self._copies:
            copy.copy_(source())

    def vector(self, module: Any, name: str = "weight") -> Tensor:
        """A parameter in the engine's type."""
        return self._one(lambda: getattr(module, name).detach())

    def _one(self, get: Callable[[], Tensor]) -> Tensor:
        value = get()
        if value.dtype == self.dtype:
            self._used.append((get, value.data_ptr()))
            return value
        return self._copy(get, value)

    def _copy(self, get: Callable[[], Tensor], value: Tensor) -> Tensor:
        copy = value.to(self.dtype, copy=True).contiguous()
        self._copies.append((copy, get))
        return copy

    @torch.no_grad()
    def linear(
        self, modules: Sequence[Any], arrange: Callable[[Tensor], Tensor] | None = None
    ) -> Linear:
        """Linear layers one above the other.

        Args:
            modules: layers with the same input.
            arrange: puts the outputs, dimension 0 of weight and bias, into another order.
        """
        biases = [bias_of(module) for module in modules]
        if len({bias is None for bias in biases}) != 1:
            raise UnknownNetworkError("linear layers of which only some have a bias")
        if len(modules) == 1 and arrange is None and _is_plain(modules[0]):
            bias = None if biases[0] is None else self._one(lambda: modules[0].bias.detach())
            return Linear(self._one(lambda: _upright(modules[0], modules[0].weight.detach())), bias)
        ordered = arrange or (lambda tensor: tensor)
        weight = self._fused(modules, lambda m: ordered(effective_weight(m)), "weight")
        bias = None
        if biases[0] is not None:
            bias = self._fused(modules, lambda m: ordered(_given(bias_of(m))), "bias")
        return Linear(weight, bias)

    def _fused(self, modules: Sequence[Any], value: Callable[[Any], Tensor], name: str) -> Tensor:
        """The modules' values one above the other; adopted modules get theirs as a view of it."""
        first = [value(module) for module in modules]
        fused = torch.empty(
            sum(map(len, first)), *first[0].shape[1:], dtype=self.dtype, device=first[0].device
        )
        start = 0
        for module, tensor in zip(modules, first, strict=True):
            part = fused[start : start + len(tensor)]
            part.copy_(tensor)
            start += len(tensor)
            if self.adopt and len(modules) > 1 and type(module) is nn.Linear:
                parameter = getattr(module, name)
                if parameter.dtype == self.dtype:
                    parameter.data = part
                    self._used.append(
                        (lambda m=module: getattr(m, name).detach(), part.data_ptr())  # type: ignore[misc]
                    )
                    continue
            self._copies.append((part, lambda m=module: value(m)))  # type: ignore[misc]
        return fused


def _given(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor


def _is_conv1d(module: Any) -> bool:
    """transformers' Conv1D, a linear layer that keeps its weight as (in, out)."""
    return type(module).__name__ == "Conv1D"


def _is_plain(module: Any) -> bool:
    return type(module) is nn.Linear or _is_conv1d(module)


def _upright(module: Any, weight: Tensor) -> Tensor:
    return weight.t() if _is_conv1d(module) else weight


def bias_of(module: Any) -> Tensor | None:
    """The bias of a linear layer, also inside an adapter."""
    layer = module.get_base_layer() if hasattr(module, "get_base_layer") else module
    bias = layer.bias
    return None if bias is None else bias.detach()


def effective_weight(module: Any) -> Tensor:
    """(out, in) that a linear layer multiplies with: dequantised, an active LoRA added.

    Raises: UnknownNetworkError for layers of another kind.
    """
    if _is_plain(module):
        return _upright(module, module.weight.detach())
    kind = type(module).__name__
    if kind == "Linear4bit":
        from bitsandbytes.functional import dequantize_4bit

        return dequantize_4bit(module.weight.data, module.weight.quant_state)
    if hasattr(module, "get_delta_weight") and hasattr(module, "lora_A"):
        return _with_lora(module)
    raise UnknownNetworkError(f"a {kind} in the place of a linear layer")


def _with_lora(module: Any) -> Tensor:
    base = module.get_base_layer()
    weight = effective_weight(base)
    if any(map(bool, getattr(module, "lora_variant", {}).values())) or any(
        getattr(module, "use_dora", {}).values()
    ):
        raise UnknownNetworkError("a LoRA that is more than a sum with the weight")
    if any(getattr(module, "lora_bias", {}).values()):
        raise UnknownNetworkError("a LoRA with a bias")
    if module.disable_adapters or module.merged:
        return weight
    total = weight.float()
    for name in module.active_adapters:
        if name in module.lora_A:
            total = total + _upright(base, module.get_delta_weight(name).float())
    return total
