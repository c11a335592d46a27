"""Inputs of adapted layers within autocast and outside of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.config.training import LoraConfig
from luciola.models.adapters import attach_lora
from luciola.models.casting import cast_by_autocast
from support import build_llama


def adapted(*, casts: bool, kind: str) -> Any:
    model: Any = attach_lora(build_llama().bfloat16(), LoraConfig(r=4), run_seed=0, kind=kind)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.02)
    if casts:
        for module in model.modules():
            vars(module).pop("_cast_input_dtype", None)
    return model


def kept_bytes(model: Any, ids: torch.Tensor) -> tuple[int, torch.Tensor, list[torch.Tensor]]:
    """What the forward pass keeps, the logits, and the adapters' gradients."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        logits = model(input_ids=ids).logits
    logits.float().square().sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return sum(kept.values()), logits, gradients


@pytest.mark.parametrize(("kind", "share"), [("lora", 0.95), ("rslora", 0.95), ("dora", 1.2)])
def test_the_numbers_are_the_same_and_less_is_kept(kind: str, share: float) -> None:
    ids = torch.arange(48)[None] % 90
    before, expected, wanted = kept_bytes(adapted(casts=True, kind=kind), ids)
    after, logits, gradients = kept_bytes(adapted(casts=False, kind=kind), ids)
    assert after < share * before
    torch.testing.assert_close(logits, expected, rtol=0, atol=0)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=1e-3)


def test_outside_of_autocast_inputs_still_become_the_adapters_type() -> None:
    model = adapted(casts=False, kind="lora")
    assert torch.isfinite(model(input_ids=torch.arange(8)[None]).logits).all()
    assert cast_by_autocast(model) is model
