"""Layers that only look linear get no adapter, whoever asks for one on all linear layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from luciola.config.training import LoraConfig
from luciola.models.adapters import attach_lora
from luciola.models.classifier import fresh_head
from luciola.models.classifier_adapters import adapt_classifier
from luciola.models.lora_targets import special_layers
from luciola.models.roles_building import build_roles
from support import build_llama


class Router(nn.Linear):
    """As families write their routers: a Linear that gives scores and choices."""

    def forward(self, x: Tensor) -> Any:
        scores = super().forward(x)
        return scores, scores.argmax(-1)


Router.__module__ = "transformers.models.own.modeling_own"


@pytest.fixture
def routed() -> Any:
    """The tiny Llama with a router in each layer."""
    model: Any = build_llama()
    for layer in model.model.layers:
        layer.mlp.router = Router(model.config.hidden_size, 4)
    return model


def adapted_by(model: nn.Module, name: str) -> set[str]:
    """Kinds of layers that the adapter `name` stands on."""
    found = [n for n, _ in model.named_parameters() if f".lora_A.{name}." in n]
    return {n.split(".lora_A.")[0].rsplit(".", 1)[-1] for n in found}


def test_routers_are_found(routed: Any) -> None:
    layers = range(routed.config.num_hidden_layers)
    assert special_layers(routed) == [f"model.layers.{i}.mlp.router" for i in layers]


def test_neither_actor_nor_critic_adapts_a_router(routed: Any) -> None:
    lora = LoraConfig(r=2)
    roles = build_roles(
        attach_lora(routed, lora, run_seed=0),
        adapter="lora",
        lora=lora,
        continued=False,
        critic="separate",
        value_init="zero",
        reference=None,
        autocast=False,
        run_seed=0,
    )
    actors, critics = adapted_by(roles, "default"), adapted_by(roles, "critic")
    assert {"q_proj", "down_proj"} <= actors == critics
    assert "router" not in actors


def test_a_reward_model_adapts_no_router(routed: Any) -> None:
    from transformers import LlamaForSequenceClassification

    config = routed.config
    config.num_labels = 1
    with torch.device("meta"):
        classifier: Any = LlamaForSequenceClassification(config)
    classifier.model = routed.model
    classifier.score = fresh_head(config.hidden_size, 0)
    model = adapt_classifier(classifier, "gpt-none", LoraConfig(r=2), full=False, run_seed=0)
    found = adapted_by(model, "default")
    assert {"q_proj", "down_proj"} <= found
    assert "router" not in found
