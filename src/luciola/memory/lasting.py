"""What lies in memory all through a run: weights, adapters, gradients, the optimizer's states."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn

from luciola.memory.ledger import BLOCK

WEIGHTS, ADAPTERS, HEADS = "weights", "adapters", "heads"
CONSTANTS, COPY = "quantisation constants", "copy to sample from"
GRADIENTS, OPTIMIZER, AVERAGE = "gradients", "optimizer", "average of the weights"
OTHERS = {"reference": "reference", "critic": "critic"}
"""Roles with weights of their own, by the first part of their parameters' names."""

ADAM_BYTES = {"adamw": 8.0, "adamw8bit": 2.0 + 8 / 256}
"""Of a parameter: two float32; or two of 8 bits, with a float32 each for 256 of them."""
SMALLEST_IN_8BIT = 4096
"""Parameters of fewer numbers keep float32 states in bitsandbytes."""


@dataclass(frozen=True)
class Quantised:
    """How frozen linear layers are kept.

    Args:
        bits: 4 (NF4) or 8.
        double: the constants of 4 bits are themselves in 8 bits.
    """

    bits: int
    double: bool = True

    def weight_bytes(self, count: int) -> int:
        """Of a matrix of `count` numbers."""
        return math.ceil(count * self.bits / 8)

    def constant_bytes(self, weight: torch.Size) -> int:
        """Its scales: in 4 bits one for 64 numbers (Dettmers et al. 2023, section 3); in 8 bits a
        float32 a row.
        """
        if self.bits == 8:
            return 4 * weight[0]
        blocks = math.ceil(weight.numel() / 64)
        return blocks + 4 * math.ceil(blocks / 256) if self.double else 4 * blocks


@dataclass(frozen=True)
class Kept:
    """What a recipe keeps beside the weights.

    Args:
        optimizer: "adamw" or "adamw8bit".
        averages: a running average of what is trained.
        sampling_bytes: of a number in the copy that rollouts are sampled from; 0: there is none.
        quantised: None: the weights keep their type.
    """

    optimizer: str = "adamw"
    averages: bool = False
    sampling_bytes: int = 0
    quantised: Quantised | None = None


def lasting(roles: nn.Module, kept: Kept) -> dict[str, int]:
    """Bytes by part. The roles may be on the meta device; tied weights count once."""
    parts: Counter[str] = Counter()
    frozen = any(not p.requires_grad for n, p in roles.named_parameters() if n[:6] == "model.")
    linear = _quantised_weights(roles) if kept.quantised else set()
    for name, parameter in roles.named_parameters():
        part = _part(name, is_adapter=frozen and parameter.requires_grad)
        if kept.quantised and id(parameter) in linear:
            parts[part] += kept.quantised.weight_bytes(parameter.numel())
            parts[CONSTANTS] += kept.quantised.constant_bytes(parameter.shape)
        else:
            parts[part] += rounded(parameter.numel() * parameter.element_size())
        if parameter.requires_grad:
            _add_training(parts, parameter, kept)
        if kept.sampling_bytes and part == WEIGHTS and name.startswith("model."):
            parts[COPY] += rounded(parameter.numel() * kept.sampling_bytes)
    parts[WEIGHTS] += sum(rounded(b.numel() * b.element_size()) for b in roles.buffers())
    return {part: size for part, size in parts.items() if size}


def _part(name: str, *, is_adapter: bool) -> str:
    first = name.split(".", 1)[0]
    if first in OTHERS:
        return OTHERS[first]
    if first in ("heads", "value_head"):
        return HEADS
    return ADAPTERS if is_adapter or ".lora_" in name else WEIGHTS


def _add_training(parts: Counter[str], parameter: nn.Parameter, kept: Kept) -> None:
    count = parameter.numel()
    in_float = kept.optimizer == "adamw" or count < SMALLEST_IN_8BIT
    state = 2 * parameter.element_size() if in_float else ADAM_BYTES[kept.optimizer]
    parts[OPTIMIZER] += rounded(int(count * state)) + BLOCK
    parts[GRADIENTS] += rounded(count * parameter.element_size())
    if kept.averages:
        parts[AVERAGE] += rounded(count * parameter.element_size())


def _quantised_weights(roles: nn.Module) -> set[int]:
    """The weights that quantisation takes: of frozen linear layers, but for the output head."""
    return {
        id(module.weight)
        for name, module in roles.named_modules()
        if isinstance(module, nn.Linear)
        and not module.weight.requires_grad
        and not name.endswith(("lm_head", "score", "embed_out"))
    }


def dequantised_bytes(roles: nn.Module) -> int:
    """The largest matrix in bfloat16, as it is unpacked for its product."""
    chosen = _quantised_weights(roles)
    sizes = [p.numel() for p in roles.parameters() if id(p) in chosen]
    return 2 * max(sizes, default=0)


def rounded(size: int) -> int:
    """Bytes as the allocator hands them out."""
    return -(-size // BLOCK) * BLOCK
