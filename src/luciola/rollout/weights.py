"""Weights to sample with: the trained model as it is, or a merged copy in the fastest type.

A copy is its own: the trainer's tensors are never touched by it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from luciola.models.quantization import is_quantised
from luciola.models.quiet import quiet


class SamplingWeights:
    """A model to sample from that follows a trained one.

    Args:
        model: the trained model, bare or inside peft.
        dtype: of a copy; None: sample from the model itself, as with quantised weights always.
    """

    def __init__(self, model: Any, dtype: torch.dtype | None) -> None:
        self.trained = model
        self.model = model
        self._pairs: list[tuple[Any, Any]] = []
        if dtype is None or is_quantised(model):
            return
        adds = _only_adds(model)
        with quiet():
            self.model = copy.deepcopy(model)
            if adds:
                self.model = self.model.merge_and_unload()
        self.model.to(dtype).requires_grad_(False)
        if adds:
            self._pairs = _adapted(model.get_base_model(), self.model)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the trained weights as they are now."""
        if self.model is self.trained:
            return
        if not self._pairs:
            copied = dict(self.model.named_parameters())
            for name, parameter in self.trained.named_parameters():
                if parameter.requires_grad and name in copied:
                    copied[name].copy_(parameter)
            return
        for target, layer in self._pairs:
            base: Any = layer.get_base_layer().weight
            target.weight.copy_(base.float() + layer.get_delta_weight(layer.active_adapters[0]))


def _only_adds(model: Any) -> bool:
    """Whether the adapter is a sum with each weight, W + (alpha / r) B A, and nothing else."""
    from peft import LoraConfig

    if not hasattr(model, "peft_config"):
        return False
    settings = model.peft_config.values()
    return all(
        isinstance(s, LoraConfig) and not (s.use_dora or s.trainable_token_indices)
        for s in settings
    )


def _adapted(base: nn.Module, merged: nn.Module) -> list[tuple[Any, Any]]:
    """Each adapted layer with the plain one that it becomes in the merged copy."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [
        (merged.get_submodule(name), module)
        for name, module in base.named_modules()
        if isinstance(module, BaseTunerLayer)
    ]
