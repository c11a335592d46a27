"""PiSSA: LoRA that begins at the largest singular values of each weight.

Source: Meng et al. 2024, section 3, https://arxiv.org/abs/2404.02948: with W = U S Vᵀ, A = √S Vᵀ
and B = U √S of the r largest, and the frozen rest W - B A. Here the base stays as it is, so that
the adapter off is the base to the bit: the adapter has rank 2r, [B, -B₀] · [A; A₀], whose second
half is the start and stays. That is also the form in which plain LoRA loads it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from luciola.seeds import seed


@torch.no_grad()
def begin(model: nn.Module, *, run_seed: int) -> None:
    """Fill the adapters of a peft model with the start, and let their second halves stay.

    Args:
        run_seed: the singular values are found by random projections that follow from it.
    """
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(seed(run_seed, "pissa"))
    for module in model.modules():
        if isinstance(module, LoraLayer) and module.lora_A:
            for name in module.lora_A:
                _fill(module, name)


def _fill(layer: Any, name: str) -> None:
    first, second = layer.lora_A[name].weight, layer.lora_B[name].weight
    if first.is_meta:
        return
    r = first.shape[0] // 2
    weight: Tensor = layer.get_base_layer().weight.float()
    if getattr(layer, "fan_in_fan_out", False):
        weight = weight.T
    down, up = _largest(weight, r)
    scaled = up / layer.scaling[name]
    first.copy_(torch.cat([down, down]))
    second.copy_(torch.cat([scaled, -scaled], dim=1))
    first.register_hook(lambda gradient: _first_rows(gradient, r))
    second.register_hook(lambda gradient: _first_rows(gradient.T, r).T)


def _largest(weight: Tensor, r: int) -> tuple[Tensor, Tensor]:
    """√S Vᵀ (r, in) and U √S (out, r) of a weight (out, in); zeros where its rank is smaller."""
    q = min(2 * r, *weight.shape)
    left, values, right = torch.svd_lowrank(weight, q=q, niter=4)
    kept = min(r, q)
    root = values[:kept].sqrt()
    down, up = weight.new_zeros(r, weight.shape[1]), weight.new_zeros(weight.shape[0], r)
    down[:kept] = root[:, None] * right[:, :kept].T
    up[:, :kept] = left[:, :kept] * root
    return down, up


def _first_rows(gradient: Tensor, r: int) -> Tensor:
    kept = torch.zeros_like(gradient)
    kept[:r] = gradient[:r]
    return kept
