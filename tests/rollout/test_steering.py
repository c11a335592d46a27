"""Answering with Q - V: what is sampled is what the formula says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.errors import ConfigError
from luciola.models.q_heads import QHeads, heads_for
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.steering import Advantage
from luciola.rollout.strategies import Settings, filtered
from luciola.types import Request, Sampling
from reference_values import Source, sources


class Fixed(QHeads):
    """Heads that say what they are told."""

    def __init__(self, targets: list[torch.Tensor], value: torch.Tensor) -> None:
        super().__init__(1, targets[0].shape[-1])
        self.told = tuple(targets)
        self.v_head = torch.nn.Sequential(torch.nn.Identity())
        self.value = value

    def targets(self, states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.told


@pytest.mark.parametrize("read", sources())
def test_steered_scores_filtered_by_the_sampler_are_trlx_decoding(read: Source) -> None:
    for case in read("rl/ilql_decode")["cases"]:
        targets = [torch.tensor(case["target_q1"]), torch.tensor(case["target_q2"])]
        value = torch.tensor(case["v"])
        steering = Advantage(Fixed(targets, value), case["beta"])
        logits = torch.tensor(case["logits"])
        scores = steering.scores(logits, value, torch.zeros(len(logits), dtype=torch.int64))
        temperature, top_k = case["temperature"], case["top_k"]
        settings = Settings.of([Sampling(1, temperature, top_k)] * len(logits), "cpu")
        probabilities = filtered(scores, settings).softmax(-1)
        expected = torch.tensor(case["probs"])
        torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-5)


def by_hand(model: Any, heads: QHeads, ids: list[int], beta: float) -> torch.Tensor:
    """(V,) log-probabilities of the next token."""
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
        states = out.hidden_states[-1][:, -1]
        lowest = torch.minimum(*heads.targets(states))
        scores = out.logits[:, -1].log_softmax(-1) + beta * (lowest - heads.v_head(states))
    return scores[0].log_softmax(-1)


def test_the_sampler_samples_from_the_steered_distribution(model: Any, prompts: Any) -> None:
    """Prompts of mixed lengths behind common prefixes: each token's log-probability is the one by
    hand, of a model without cache; the greedy row takes the best.
    """
    torch.manual_seed(1)
    heads = heads_for(model, two_qs=True, run_seed=1)
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.mul_(3)
    sampler = NaiveSampler(model, end_ids=[], steering=Advantage(heads, 2.0))
    requests = [
        Request(prompt, sampling=Sampling(4, float(index % 2)), seed=index)
        for index, prompt in enumerate(prompts)
    ]
    plain = NaiveSampler(model, end_ids=[]).sample(requests)
    steered = sampler.sample(requests)
    assert [s.ids for s in steered] != [s.ids for s in plain]
    for index, (request, sample) in enumerate(zip(requests, steered, strict=True)):
        ids = list(request.prompt)
        for token, logprob in zip(sample.ids, sample.logprobs, strict=True):
            expected = by_hand(model, heads, ids, 2.0)
            assert logprob == pytest.approx(float(expected[token]), abs=2e-3)
            if index % 2 == 0:
                assert float(expected.max() - expected[token]) < 1e-3
            ids.append(token)


def test_with_beta_0_the_language_model_answers_alone(model: Any, prompts: Any) -> None:
    heads = heads_for(model, two_qs=True, run_seed=0)
    requests = [Request(prompt, sampling=Sampling(6, 1.0), seed=7) for prompt in prompts]
    sampler = NaiveSampler(model, end_ids=[], steering=Advantage(heads, 0.0))
    plain = NaiveSampler(model, end_ids=[]).sample(requests)
    assert [s.ids for s in sampler.sample(requests)] == [s.ids for s in plain]


def test_a_token_that_may_not_follow_the_one_before_never_does(model: Any, prompts: Any) -> None:
    """Only the token one above the last one may follow."""
    size = model.config.vocab_size
    forbidden = torch.ones(size, size, dtype=torch.bool)
    forbidden[torch.arange(size), (torch.arange(size) + 1) % size] = False
    heads = heads_for(model, two_qs=True, run_seed=0)
    sampler = NaiveSampler(model, end_ids=[], steering=Advantage(heads, 5.0, forbidden))
    samples = sampler.sample([Request(p, sampling=Sampling(5, 1.0), seed=3) for p in prompts])
    for prompt, sample in zip(prompts, samples, strict=True):
        assert list(sample.ids) == [(prompt[-1] + n) % size for n in range(1, 6)]
        assert sum(sample.logprobs) == pytest.approx(0, abs=1e-5)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"bool tensor of 6 × 6, got torch.float32 of 6 × 5"):
        Advantage(QHeads(4, 6), 1.0, torch.zeros(6, 5))
