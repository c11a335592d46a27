"""Steps on fake tensors against the same steps on real ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from luciola.config.training import LoraConfig
from luciola.memory import attention
from luciola.memory.ledger import HEAD, Ledger, kind_of
from luciola.memory.simulation import (
    Load,
    decoder_layers,
    keep_layers,
    measure,
    predict,
    simulate,
    worst_batch,
)
from luciola.models.adapters import attach_lora
from luciola.models.batch import Batch
from luciola.models.recomputing import recompute_activations
from luciola.models.roles import Policy
from support import VOCABULARY, build_llama

LOAD = Load(tokens=48, trained=40)


def loss(roles: nn.Module, batch: Batch) -> Tensor:
    """The language-modelling loss."""
    return -roles(batch).logprobs.sum()


def policy(
    layers: int, *, lora: bool = False, bf16: bool = False, checkpointing: bool = False
) -> Any:
    """A tiny policy with the attention that stands in for the GPU's."""
    model: Any = build_llama(attention=attention.register(), layers=layers)
    if checkpointing:
        recompute_activations(model)
    if lora:
        model = attach_lora(
            model.to(torch.bfloat16 if bf16 else torch.float32), LoraConfig(r=4), run_seed=0
        )
    model.train()
    return Policy(model, autocast=bf16)


WAYS = [
    {},
    {"bf16": True},
    {"lora": True},
    {"lora": True, "bf16": True},
    {"bf16": True, "checkpointing": True},
]


@pytest.mark.parametrize(
    ("way", "accumulates"), [*((way, True) for way in WAYS), (WAYS[1], False)], ids=str
)
def test_a_step_without_memory_needs_what_a_real_one_does(
    way: dict[str, bool], accumulates: bool
) -> None:
    """To the byte, and kind by kind."""
    load = Load(48, 40, accumulates)
    real = policy(2, **way)
    fake = copy.deepcopy(real).to("meta")
    seen = measure(real, loss, worst_batch(load), accumulates=accumulates)
    assert simulate(fake, loss, load) == seen
    assert sum(seen.values()) > 40 * VOCABULARY * 4


@pytest.mark.parametrize("bf16", [False, True])
def test_what_is_alive_after_the_forward_pass_is_what_autograd_saves(bf16: bool) -> None:
    """torch's own hooks on saved tensors count the same storages; besides there is the loss."""
    roles, batch = policy(2, bf16=bf16), worst_batch(LOAD)
    known = {p.untyped_storage()._cdata for p in [*roles.parameters(), *roles.buffers()]}
    saved: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            saved[storage._cdata] = (-(-storage.nbytes() // 512) * 512, tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = loss(roles, batch)
    given = {
        getattr(batch, n).untyped_storage()._cdata
        for n in ("ids", "positions", "columns", "labels")
    }
    expected = sum(size for key, (size, _) in saved.items() if key not in given)
    saved.clear()
    ledger = Ledger(
        roles, [*roles.buffers(), batch.ids, batch.positions, batch.columns, batch.labels]
    )
    with ledger.watching():
        kept = loss(roles, batch)
        alive = ledger.total
    assert alive - 512 == expected
    del kept


def test_more_layers_are_a_straight_line() -> None:
    """Seven layers run as a whole, and told from two and three."""

    def build(layers: int | None) -> nn.Module:
        roles = policy(7, bf16=True).to("meta")
        if layers is not None:
            keep_layers(roles.model, layers)
        return roles

    whole = predict(build, loss, LOAD, layers=0)
    assert predict(build, loss, LOAD, layers=7) == whole
    assert len(decoder_layers(build(None).model)) == 1  # type: ignore[arg-type]


def test_logits_by_hand() -> None:
    """N = 40 of V = 97 in float32 are 15,520 bytes, 15,872 in blocks of 512. At the loss's
    backward pass three such are alive, the log-probabilities and two gradients; in the forward
    pass the logits as well.
    """
    kinds = simulate(policy(2).to("meta"), loss, LOAD)
    assert kinds[HEAD] + kinds.get("backward", 0) in range(3 * 15_872, 4 * 15_872)


def test_checkpointing_keeps_one_state_a_layer() -> None:
    """T·H = 48·32 numbers in float32, 6,144 bytes, for each layer more."""
    way = {"bf16": True, "checkpointing": True}
    few, many = (
        sum(simulate(policy(layers, **way).to("meta"), loss, LOAD).values()) for layers in (6, 8)
    )
    casts = sum(p.numel() for p in policy(1).model.model.layers.parameters() if p.ndim == 2) * 2
    assert 2 * 6_144 <= many - few <= 2 * (6_144 + casts + 12 * 512)


def test_layers_that_differ_are_not_told_from_two_of_them(llama: LlamaForCausalLM) -> None:
    assert decoder_layers(llama)
    llama.model.layers[1].mlp.up_proj = nn.Linear(32, 65, bias=False)
    assert decoder_layers(llama) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.layers.0.self_attn", "attention"),
        ("h.0.ln_1", "norms"),
        ("input_layernorm", "norms"),
        ("block_sparse_moe", "mlp"),
        ("wte", "embeddings"),
        ("lm_head", HEAD),
        ("layers", None),
        ("plan", None),
    ],
)
def test_kinds_follow_from_names(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind
