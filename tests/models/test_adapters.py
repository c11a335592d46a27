"""Every kind of adapter behind one setting: trains, saves, loads, goes on, switches off."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

from luciola.config.training import BottleneckSettings, LoraConfig, TrainingConfig, VirtualTokens
from luciola.errors import ConfigError
from luciola.methods.preparation import adapt, choose_packing
from luciola.models.actor_critic import using_adapter
from luciola.models.adapters import (
    can_merge,
    count_parameters,
    merged,
    merged_if_possible,
    trained_parameters,
)
from luciola.models.load import load_model
from luciola.models.precision import Precision
from luciola.models.save import save_model
from models_on_disk import build_tokenizer
from support import build_llama

KINDS = ["lora", "qlora", "dora", "rslora", "pissa", "ia3"]
KINDS += ["prefix", "prompt", "ptuning", "houlsby", "pfeiffer"]
VIRTUAL = ("prefix", "prompt", "ptuning")
IDS = torch.arange(24).view(2, 12) % 90
POSITIONS = torch.arange(12).expand(2, 12)


def recipe(kind: str, **settings: Any) -> TrainingConfig:
    """A small recipe with this kind of adapter."""
    settings.setdefault("lora", LoraConfig(r=4, alpha=8))
    return TrainingConfig(
        model="m",
        adapter=kind,  # type: ignore[arg-type]
        bottleneck=BottleneckSettings(reduction=4),
        virtual=VirtualTokens(count=3, hidden=8),
        **settings,
    )


def logits(model: Any) -> torch.Tensor:
    """(2, 12, V) in evaluation mode, called as the trainer calls it."""
    with torch.no_grad():
        found: torch.Tensor = model.eval()(
            input_ids=IDS, position_ids=POSITIONS, use_cache=False
        ).logits
    return found


def take_steps(model: Any, steps: int = 3) -> list[float]:
    """Losses of a few steps of Adam on fixed tokens."""
    optimizer = torch.optim.Adam(trained_parameters(model).values(), lr=1e-2)
    losses = []
    for _ in range(steps):
        out = model.train()(input_ids=IDS, position_ids=POSITIONS, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(out[:, :-1].flatten(0, 1), IDS[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def adapted(kind: str) -> Any:
    """A tiny Llama with an adapter that was trained a little."""
    model = adapt(build_llama(), recipe(kind))
    losses = take_steps(model)
    assert losses[-1] < losses[0]
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_trains_and_switched_off_is_the_base_to_the_bit(kind: str) -> None:
    base = logits(build_llama())
    model = adapted(kind)
    assert not torch.equal(logits(model), base)
    with using_adapter(model, None):
        assert torch.equal(logits(model), base)
    with model.disable_adapter():
        assert torch.equal(logits(model), base)


@pytest.mark.parametrize("kind", [*KINDS, "freeze"])
def test_only_a_part_is_trained_and_the_base_never_moves(kind: str) -> None:
    before = build_llama()
    model = adapt(build_llama(), recipe(kind, freeze_layers=1))
    count = count_parameters(model)
    assert 0 < count.trained < count.total
    take_steps(model)
    now = model.get_base_model() if hasattr(model, "peft_config") else model
    moved = {n for n, p in before.named_parameters() if not torch.equal(p, _same(now, n))}
    assert all(name.startswith("model.layers.1.") for name in moved)
    assert bool(moved) == (kind == "freeze")


def _same(model: Any, name: str) -> torch.Tensor:
    parameters = {n.replace("base_layer.", ""): p for n, p in model.named_parameters()}
    return parameters[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_loads_with_the_same_logits_and_goes_on(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    base = load_model(folder)
    model: Any = adapt(base, recipe(kind))
    take_steps(model)
    expected = logits(model)
    save_model(model, build_tokenizer(), tmp_path / "adapter", name=str(folder))
    loaded: Any = load_model(tmp_path / "adapter")
    assert torch.allclose(logits(loaded), expected, atol=1e-4)
    going_on = adapt(loaded, recipe(kind))
    first = take_steps(going_on, 4)
    assert first[-1] < first[0]
    save_model(going_on, build_tokenizer(), tmp_path / "again", name=str(folder))
    assert torch.allclose(logits(load_model(tmp_path / "again")), logits(going_on), atol=1e-4)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("houlsby", "pfeiffer")])
def test_a_saved_adapter_says_the_same_in_plain_peft(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    model: Any = adapt(load_model(folder), recipe(kind))
    take_steps(model)
    save_model(model, build_tokenizer(), tmp_path / "adapter", name=str(folder))
    plain = peft.PeftModel.from_pretrained(load_model(folder), str(tmp_path / "adapter")).eval()
    with torch.no_grad():
        outputs = plain(input_ids=IDS, attention_mask=torch.ones_like(IDS), use_cache=False).logits
    assert torch.allclose(outputs[:, -12:], logits(model), atol=1e-4)


def test_an_adapter_of_plain_peft_is_gone_on_with(folder: Path, tmp_path: Path) -> None:
    plain = peft.get_peft_model(load_model(folder), peft.LoHaConfig(target_modules=["q_proj"]))
    plain.save_pretrained(str(tmp_path / "adapter"))
    model: Any = adapt(load_model(tmp_path / "adapter"), recipe("lora"))
    assert model.peft_config["default"].peft_type == "LOHA"
    losses = take_steps(model, 5)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["lora", "dora", "rslora", "pissa", "ia3"])
def test_what_can_be_merged_says_the_same_merged(kind: str) -> None:
    model = adapted(kind)
    expected = logits(model)
    plain = merged(model)
    assert can_merge(kind)
    assert not hasattr(plain, "peft_config")
    assert torch.allclose(logits(plain), expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["prefix", "prompt", "ptuning", "houlsby", "pfeiffer"])
def test_what_cannot_be_merged_says_so_and_stays_beside(kind: str) -> None:
    model = adapted(kind)
    assert not can_merge(kind)
    assert merged_if_possible(model) is model
    with pytest.raises(ConfigError, match="cannot be added into its weights"):
        adapt(model, recipe("full"))


@pytest.mark.parametrize("kind", ["houlsby", "pfeiffer", "ia3", "prompt", "dora"])
@pytest.mark.parametrize("family", ["gpt2", "opt"])
def test_the_parts_are_found_in_other_architectures(kind: str, family: str) -> None:
    shape: dict[str, Any] = {"vocab_size": 97, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    base: Any
    if family == "gpt2":
        base = GPT2LMHeadModel(
            GPT2Config(
                n_embd=32, n_positions=64, resid_pdrop=0, attn_pdrop=0, embd_pdrop=0, **shape
            )
        )
    else:
        config = OPTConfig(
            hidden_size=32,
            ffn_dim=64,
            word_embed_proj_dim=32,
            max_position_embeddings=64,
            dropout=0,
            **shape,
        )
        base = OPTForCausalLM(config)
    before = logits(base)
    model: Any = adapt(base, recipe(kind))
    losses = take_steps(model, 5)
    assert losses[-1] < losses[0]
    with using_adapter(model, None):
        assert torch.allclose(logits(model), before, atol=1e-6)


def test_a_bottleneck_begins_as_nothing_and_stands_where_its_paper_puts_it() -> None:
    base = logits(build_llama())
    houlsby, pfeiffer = (adapt(build_llama(), recipe(k)) for k in ("houlsby", "pfeiffer"))
    assert torch.equal(logits(houlsby), base)
    names = {n.split(".bottleneck")[0] for n in trained_parameters(pfeiffer)}
    assert {name[-3:] for name in names} == {"mlp"}
    one = 32 * 8 + 8 + 8 * 32 + 32  # down and up with their biases
    assert count_parameters(pfeiffer).trained == 2 * one
    assert count_parameters(houlsby).trained == 4 * one


def test_pissa_begins_at_the_largest_singular_values_and_says_what_the_base_says() -> None:
    """Rank 4 of q_proj: B A is the best approximation of rank 4, √ of the rest's squares off."""
    base = build_llama()
    weight = base.model.layers[0].self_attn.q_proj.weight.detach().clone()
    model: Any = adapt(copy.deepcopy(base), recipe("pissa"))
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    start = layer.scaling["default"] * up[:, :4] @ down[:4]
    rest = torch.linalg.svdvals(weight)[4:].square().sum().sqrt()
    assert torch.isclose((weight - start).norm(), rest, rtol=0.05)
    assert torch.allclose(logits(model), logits(base), atol=1e-2)
    frozen = down[4:].clone(), up[:, 4:].clone()
    take_steps(model)
    assert torch.equal(down[4:], frozen[0])
    assert torch.equal(up[:, 4:], frozen[1])
    assert not torch.equal(down[:4], frozen[0])


@pytest.mark.parametrize("kind", VIRTUAL)
def test_virtual_tokens_give_a_text_the_same_logits_alone_padded_and_with_a_cache(
    kind: str,
) -> None:
    model = adapted(kind).eval()
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 8:] = False
    with torch.no_grad():
        padded = model(
            input_ids=IDS,
            position_ids=POSITIONS,
            attention_mask=mask,
            use_cache=False,
            logits_to_keep=torch.tensor([2, 7]),
        ).logits
        alone = model(input_ids=IDS[1:, :8], use_cache=False).logits
        first = model(input_ids=IDS[1:, :7], use_cache=True, logits_to_keep=1)
        second = model(
            input_ids=IDS[1:, 7:8],
            position_ids=torch.tensor([[7]]),
            past_key_values=first.past_key_values,
            use_cache=True,
            logits_to_keep=1,
        )
    assert torch.allclose(padded[1], alone[0, [2, 7]], atol=1e-4)
    assert torch.allclose(second.logits[0, 0], alone[0, 7], atol=1e-4)


@pytest.mark.parametrize("kind", VIRTUAL)
def test_virtual_tokens_are_trained_in_padded_rows(kind: str) -> None:
    model = adapt(build_llama(), recipe(kind))
    precision = Precision(torch.float32, autocast=False)
    assert choose_packing(recipe(kind), model, precision, shared_prefixes=True) == "padded"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("prompt", {"packing": "packed"}, "packing must be padded with adapter=prompt"),
        ("prefix", {"checkpointing": True}, "checkpointing must be off"),
        ("pissa", {"weight_decay": 0.1}, "weight_decay must be 0"),
        ("full", {"quantize": "nf4"}, "quantize must be none with adapter=full"),
        ("qlora", {"quantize": "int8"}, "quantize cannot be int8 with adapter=qlora"),
    ],
)
def test_what_a_kind_cannot_have_is_an_error_of_the_recipe(
    kind: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe(kind, **settings)


def test_more_frozen_layers_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match="freeze_layers=3, but the model has 2 layers"):
        adapt(build_llama(), recipe("freeze", freeze_layers=3))
