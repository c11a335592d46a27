"""Every family that the engine knows, what it refuses, and weights that change."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from families.tiny_models import build as build_family
from luciola.errors import ConfigError
from luciola.rollout.engine.building import build
from luciola.rollout.engine.engine import FastEngine
from luciola.rollout.engine.probe import agrees, difference
from luciola.rollout.engine.source import Source
from luciola.rollout.engine.weights import UnknownNetworkError
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sample, Sampling

END = 40
FAMILIES = (
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3", "gpt2",
    "gpt_neox",
)  # fmt: skip
Requests = Callable[..., list[Request]]
Compare = Callable[..., list[Sample]]


def some_requests(**fixed: Any) -> list[Request]:
    """Prompts of up to 60 tokens: longer than the tiny models' windows of 16."""
    dice = random.Random(0)
    return [
        Request(
            [dice.randrange(3, 90) for _ in range(length)],
            n=1 + row % 2,
            sampling=Sampling(24, **({"temperature": float(row % 2)} | fixed)),
            seed=row,
        )
        for row, length in enumerate((1, 5, 30, 30, 17, 60, 3))
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_known_family_answers_as_the_plain_sampler_does(
    family: str, compare: Compare
) -> None:
    compare(build_family(family), some_requests(), batch=4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_probe_finds_no_difference_in_known_families(family: str) -> None:
    model = build_family(family)
    assert difference(model, Source(model).network) < 1e-5


def test_the_probe_catches_a_factor_that_the_structure_does_not_show() -> None:
    model = build_family("granite")
    model.config.logits_scaling = 3.0
    model.logits_scaling = 3.0
    assert not agrees(model, Source(model).network)


@pytest.mark.parametrize("family", ["olmo2", "mixtral", "mamba", "bloom", "gptj"])
def test_other_families_are_refused(family: str) -> None:
    model = build_family(family)
    with pytest.raises(UnknownNetworkError):
        Source(model)
    requests = some_requests()[:3]
    with pytest.raises(ConfigError, match="fast engine cannot sample"):
        build(model, engine="fast", end_ids=[END]).sample(requests)


def test_weights_changed_in_place_count_after_a_sync(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    changed = copy.deepcopy(model)
    engine = FastEngine(Source(changed), end_ids=[END])
    before = engine.sample(requests_())
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1.2)
    engine.sync(7)
    found = engine.sample(requests_())
    assert [s.ids for s in found] != [s.ids for s in before]
    assert {s.version for s in found} == {7}
    expected = NaiveSampler(changed, end_ids=[END]).sample(requests_())
    assert [s.ids for s in found] == [s.ids for s in expected]


def test_weights_moved_elsewhere_are_found(model: LlamaForCausalLM, requests_: Requests) -> None:
    """As `to(device)` or `to(dtype)` move them: parameters keep their names, not their place."""
    moved = copy.deepcopy(model)
    engine = FastEngine(Source(moved), end_ids=[END])
    engine.sample(requests_())
    for parameter in moved.parameters():
        parameter.data = parameter.data.clone() * 1.2
    expected = NaiveSampler(moved, end_ids=[END]).sample(requests_())
    assert [s.ids for s in engine.sample(requests_())] == [s.ids for s in expected]


def test_adopted_weights_are_in_memory_once(model: LlamaForCausalLM, requests_: Requests) -> None:
    adopted = copy.deepcopy(model)
    source = Source(adopted, adopt=True)
    attention = adopted.model.layers[0].self_attn
    fused = source.network.layers[0].qkv.weight.untyped_storage().data_ptr()
    assert attention.k_proj.weight.untyped_storage().data_ptr() == fused
    engine = FastEngine(source, end_ids=[END])
    with torch.no_grad():
        attention.k_proj.weight.mul_(1.5)
    expected = NaiveSampler(adopted, end_ids=[END]).sample(requests_())
    assert [s.ids for s in engine.sample(requests_())] == [s.ids for s in expected]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
def test_a_lora_is_merged_into_the_engines_copy_and_followed(family: str) -> None:
    targets = {"gpt2": ["c_attn", "c_fc"], "gpt_neox": ["query_key_value", "dense"]}
    settings = LoraConfig(
        r=4, target_modules=targets.get(family, "all-linear"), fan_in_fan_out=family == "gpt2"
    )
    model: Any = get_peft_model(build_family(family), settings).eval()
    source = Source(model)
    engine = FastEngine(source, end_ids=[END])
    before = engine.sample(some_requests())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    engine.sync(1)
    found = engine.sample(some_requests())
    expected = NaiveSampler(model, end_ids=[END]).sample(some_requests())
    assert [s.ids for s in found] == [s.ids for s in expected] != [s.ids for s in before]


def test_an_adapter_that_is_no_sum_is_answered_plainly() -> None:
    model: Any = get_peft_model(
        build_family("llama"), LoraConfig(r=4, target_modules="all-linear", use_dora=True)
    )
    with pytest.raises(UnknownNetworkError):
        Source(model)


def test_bfloat16_answers_have_the_models_logprobs(requests_: Requests) -> None:
    model = build_family("llama").to(torch.bfloat16)
    requests = some_requests(temperature=1.0)
    sampler = build(model, engine="fast", end_ids=[END])
    for sample in sampler.sample(requests):
        prompt = list(requests[sample.request].prompt)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + list(sample.ids)])).logits[0].float()
        expected = logits[len(prompt) - 1 : -1].log_softmax(-1)
        taken = expected.gather(-1, torch.tensor(sample.ids)[:, None])[:, 0]
        assert sample.logprobs == pytest.approx(taken.tolist(), abs=0.2)


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_the_plain_sampler_answers_on_a_cpu(
    model: LlamaForCausalLM, requests_: Requests, engine: Any
) -> None:
    sampler = build(model, engine=engine, end_ids=[END])
    sampler.sync(3)
    expected = NaiveSampler(model, end_ids=[END]).sample(requests_())
    found = sampler.sample(requests_())
    assert [s.ids for s in found] == [s.ids for s in expected]
    assert {s.version for s in found} == {3}
    assert isinstance(sampler.chosen, NaiveSampler)
    assert sampler.batch == 64
