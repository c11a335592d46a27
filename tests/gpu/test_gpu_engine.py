"""The engine's kernels and graphs on a GPU, against the plain step and the plain sampler."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from luciola.rollout.cache import PrefixCache
from luciola.rollout.engine.admission import admit
from luciola.rollout.engine.building import build as build_sampler
from luciola.rollout.engine.choosing import Mode
from luciola.rollout.engine.decoding import plain_step
from luciola.rollout.engine.slots import Slots
from luciola.rollout.engine.source import Source
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.rows import rows_of
from luciola.types import Request, Sampling

pytestmark = pytest.mark.gpu
END = 2


def small(kind: str, dtype: torch.dtype) -> Any:
    """Heads of 32 numbers, so that the fused products take them; "wide" goes around those."""
    torch.manual_seed(0)
    config_type, model_type = LlamaConfig, LlamaForCausalLM
    if kind == "qwen3":
        config_type, model_type = Qwen3Config, Qwen3ForCausalLM
    config = config_type(
        vocab_size=517, hidden_size=1536 if kind == "wide" else 192, intermediate_size=256,
        num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, head_dim=32,
        max_position_embeddings=2048, initializer_range=0.1, tie_word_embeddings=True,
    )  # fmt: skip
    return model_type(config).to("cuda", dtype).eval()


def requests(count: int = 24, **fixed: Any) -> list[Request]:
    """Mixed lengths, temperatures and answers."""
    dice = random.Random(0)
    first = [dice.randrange(3, 500) for _ in range(90)]
    return [
        Request(
            first[: 90 * (row % 2)] + [dice.randrange(3, 500) for _ in range(1 + 7 * row)],
            n=1 + row % 3,
            sampling=Sampling(20 + row, **({"temperature": 0.8 * (row % 2)} | fixed)),
            seed=row,
        )
        for row in range(count)
    ]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "wide"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_kernels_compute_what_the_plain_step_does(kind: str, dtype: torch.dtype) -> None:
    from luciola.rollout.engine.kernels import kernel_step

    network = Source(small(kind, dtype)).network
    rows = rows_of(
        [Request(r.prompt, sampling=Sampling(9, temperature=1.0)) for r in requests()], None
    )
    both = []
    for make in (plain_step, kernel_step):
        slots = Slots(network, 32, 512)
        with torch.no_grad():
            admit(network, slots, range(len(rows)), rows, PrefixCache())
            make(network, slots, torch.tensor([END], device="cuda"))(32, 512, Mode(greedy=False))
        both.append(slots)
    plain, kernels = both
    keys = plain.cache[:, :, : len(rows)].float(), kernels.cache[:, :, : len(rows)].float()
    assert float((keys[0] - keys[1]).norm() / keys[0].norm()) < (
        1e-5 if dtype == torch.float32 else 2e-2
    )
    same = plain.table[0, : len(rows)] == kernels.table[0, : len(rows)]
    assert same.float().mean() >= (1.0 if dtype == torch.float32 else 0.8)
    logprobs = (plain.logprobs - kernels.logprobs)[: len(rows)].abs().amax(1)[same]
    assert float(logprobs.max()) < (1e-4 if dtype == torch.float32 else 0.2)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "wide"])
def test_the_engine_gives_the_plain_samplers_answers_in_float32(kind: str) -> None:
    """Tokens, reasons and log-probabilities, with rows that join and leave."""
    model = small(kind, torch.float32)
    expected = NaiveSampler(model, end_ids=[END]).sample(requests())
    engine = build_sampler(model, engine="fast", end_ids=[END], batch=16)
    for _ in range(2):  # graphs captured, then kept
        found = engine.sample(requests())
        assert [(s.request, s.ids, s.finish) for s in found] == [
            (s.request, s.ids, s.finish) for s in expected
        ]
        for one, other in zip(found, expected, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": 7, "temperature": 1.0},
        {"top_p": 0.8, "min_p": 0.01, "temperature": 1.0},
        {"typical_p": 0.7, "temperature": 1.0},
        {"repetition_penalty": 1.3, "frequency_penalty": 0.2, "no_repeat_ngram": 2},
    ],
)
def test_filters_and_penalties_equal_the_plain_samplers(settings: dict[str, Any]) -> None:
    model = small("llama", torch.float32)
    expected = NaiveSampler(model, end_ids=[END]).sample(requests(12, **settings))
    found = build_sampler(model, engine="fast", end_ids=[END]).sample(requests(12, **settings))
    assert [(s.ids, s.finish) for s in found] == [(s.ids, s.finish) for s in expected]


def test_changed_weights_count_after_a_sync_without_capturing_again() -> None:
    model = small("llama", torch.float32)
    engine = build_sampler(model, engine="fast", end_ids=[END])
    before = engine.sample(requests())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    engine.sync(1)
    found = engine.sample(requests())
    expected = NaiveSampler(model, end_ids=[END]).sample(requests())
    assert [s.ids for s in found] == [s.ids for s in expected] != [s.ids for s in before]


def test_answers_are_the_same_to_the_bit_when_asked_again() -> None:
    engine = build_sampler(small("llama", torch.bfloat16), engine="fast", end_ids=[END])
    first, second = engine.sample(requests()), engine.sample(requests())
    assert [(s.ids, s.logprobs) for s in first] == [(s.ids, s.logprobs) for s in second]
