"""Adapters switched for one role, and what the backward pass then computes anew."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.config.training import LoraConfig
from luciola.data.rows import packed_rows
from luciola.models.actor_critic import ActorCritic
from luciola.models.adapters import attach_lora
from luciola.models.batch import Batch
from luciola.models.recomputing import recompute_activations
from luciola.models.roles_building import build_roles
from support import build_llama


def roles(adapter: str, *, recomputed: bool) -> ActorCritic:
    """Actor and critic apart, each with weights that move its outputs."""
    model: Any = build_llama(sharpness=2)
    if recomputed:
        recompute_activations(model)
    if adapter == "lora":
        model = attach_lora(model, LoraConfig(r=4), run_seed=0)
    made = build_roles(
        model, adapter=adapter, lora=LoraConfig(r=4), continued=False, critic="separate",
        value_init="random", reference=None, autocast=False, run_seed=0,
    )  # fmt: skip
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=random) / 3)
    return made.train()


def gradients(made: ActorCritic, batch: Batch) -> dict[str, torch.Tensor]:
    outputs = made(batch)
    assert outputs.values is not None
    (outputs.scores.logprobs.sum() + outputs.values.square().sum()).backward()
    return {n: p.grad for n, p in made.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_critic_of_its_own_learns_the_same_where_activations_are_computed_anew(
    adapter: str, samples: Any
) -> None:
    """The backward pass comes after the switch to the critic's adapter is over; with the actor's
    adapter in its place the critic's would learn something else, or nothing.
    """
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    kept = gradients(roles(adapter, recomputed=False), batch)
    anew = gradients(roles(adapter, recomputed=True), batch)
    critics = [name for name in kept if "critic" in name]
    assert len(critics) > 4 and all(kept[name].abs().max() > 0 for name in critics)
    assert anew.keys() == kept.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(anew[name], gradient, rtol=1e-4, atol=1e-6)
