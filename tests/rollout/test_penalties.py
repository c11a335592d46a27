"""Penalties by hand, against transformers' own processors, and inside the sampler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    LlamaForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from luciola.rollout.naive import NaiveSampler
from luciola.rollout.penalties import History, looks_back, repeated
from luciola.rollout.strategies import Settings, filtered, typical_p
from luciola.types import Request, Sampling

END = 40
Prompts = list[tuple[int, ...]]


def test_repetition_penalty_makes_what_was_said_less_likely_whatever_the_sign() -> None:
    """2 / 2 = 1 and -1 · 2 = -2 for the two tokens of prompt and answer; the third stays."""
    history = History([Sampling(repetition_penalty=2.0)], [([0], [1])], "cpu")
    assert history(torch.tensor([[2.0, -1.0, 3.0]])).tolist() == [[1.0, -2.0, 3.0]]


def test_frequency_and_presence_count_the_answer_alone() -> None:
    """Token 1 came twice: 5 - 2 · 0.5 - 1 = 3; token 0 stands in the prompt only."""
    settings = Sampling(frequency_penalty=0.5, presence_penalty=1.0)
    history = History([settings], [([0, 0], [1])], "cpu")
    history.append(torch.tensor([1]))
    assert history(torch.tensor([[5.0, 5.0, 5.0]])).tolist() == [[5.0, 3.0, 5.0]]


def test_an_ngram_comes_once() -> None:
    """After 1 2 3 1 2 the 3-gram 1 2 3 is complete with 3; of single tokens all are used up."""
    ids = torch.tensor([[1, 2, 3, 1, 2]])
    assert repeated(ids, 3, 5).nonzero()[:, 1].tolist() == [3]
    assert repeated(ids, 2, 5).nonzero()[:, 1].tolist() == [3]
    assert repeated(ids, 1, 5).nonzero()[:, 1].tolist() == [1, 2, 3]
    assert not repeated(ids, 6, 5).any()


def test_rows_keep_their_own_settings_and_padding_is_no_token() -> None:
    """The second row is shorter, and looks for no n-gram; the others' padding repeats nothing."""
    rows = [Sampling(no_repeat_ngram=size) for size in (1, 0, 2, 1)]
    history = History(rows, [([1, 2, 1], []), ([3], []), ([4], []), ([4], [])], "cpu")
    kept = history(torch.zeros(4, 5)).isfinite().tolist()
    assert kept[0] == [True, False, False, True, True]
    assert kept[1:3] == [[True] * 5, [True] * 5]
    assert kept[3] == [True, True, True, True, False]


def test_ngrams_give_way_where_they_would_leave_nothing() -> None:
    history = History([Sampling(no_repeat_ngram=1)], [([0, 1], [])], "cpu")
    assert history(torch.zeros(1, 2)).isfinite().all()
    allowed = torch.tensor([[False, True, False]])
    assert history(torch.zeros(1, 3), allowed)[0, 1].isfinite()


def test_settings_without_penalties_have_no_history() -> None:
    assert History.of([Sampling(temperature=1, top_k=3)], [([1], [])], "cpu") is None
    assert looks_back(Sampling(presence_penalty=0.1))


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_penalties_are_those_of_transformers(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    logits = torch.randn(4, 6, generator=generator)
    ids = torch.randint(0, 6, (4, 9), generator=generator)
    processors: Any = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(1.3)])
    if size:
        processors.append(NoRepeatNGramLogitsProcessor(size))
    settings = [Sampling(repetition_penalty=1.3, no_repeat_ngram=size)] * 4
    ours = History(settings, [(row[:4], row[4:]) for row in ids.tolist()], "cpu")(logits)
    theirs = processors(ids, logits)
    rows = theirs.isfinite().any(-1)  # theirs forbids everything where ours gives way
    torch.testing.assert_close(ours[rows], theirs[rows])


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9, 0.99])
def test_filters_are_those_of_transformers(p: float) -> None:
    logits = torch.randn(16, 50, generator=torch.Generator().manual_seed(1)) * 3
    for ours, theirs in (
        (Sampling(temperature=0.7, top_p=p), TopPLogitsWarper(p)),
        (Sampling(temperature=0.7, min_p=p), MinPLogitsWarper(p)),
        (Sampling(temperature=0.7, top_k=int(p * 20)), TopKLogitsWarper(int(p * 20))),
        (Sampling(temperature=0.7, typical_p=p), TypicalLogitsWarper(p)),
    ):
        warmed: Any = TemperatureLogitsWarper(0.7)(None, logits)  # type: ignore[arg-type]
        expected = theirs(None, warmed)  # type: ignore[arg-type]
        found = filtered(logits, Settings.of([ours] * 16, "cpu"))
        torch.testing.assert_close(found, expected)


def test_filters_together_act_in_the_order_of_transformers() -> None:
    """Each on what the one before left; in another order other tokens stay in some rows."""
    logits = torch.randn(64, 50, generator=torch.Generator().manual_seed(2)) * 2
    sampling = Sampling(temperature=1.0, top_k=20, top_p=0.7, min_p=0.1, typical_p=0.8)
    warpers = (
        TopKLogitsWarper(20),
        TopPLogitsWarper(0.7),
        MinPLogitsWarper(0.1),
        TypicalLogitsWarper(0.8),
    )
    expected: Any = logits
    for warper in warpers:
        expected = warper(None, expected)  # type: ignore[arg-type]
    found = filtered(logits, Settings.of([sampling] * 64, "cpu"))
    torch.testing.assert_close(found, expected)


def test_typical_sampling_leaves_out_the_likeliest_where_it_says_too_little() -> None:
    """0.4, 0.2, 0.2, 0.2: entropy 1.33 nats; log 5 = 1.61 is nearer to it than log 2.5 = 0.92."""
    logits = torch.tensor([[0.4, 0.2, 0.2, 0.2]]).log()
    assert typical_p(logits, torch.tensor([[0.59]])).isfinite().tolist() == [
        [False, True, True, True]
    ]
    assert typical_p(logits, torch.tensor([[0.7]])).isfinite().all()


@pytest.mark.parametrize("stride", [1, 4])
def test_a_batch_with_penalties_gives_the_answers_of_single_rows(
    model: LlamaForCausalLM, prompts: Prompts, stride: int
) -> None:
    settings: list[dict[str, float]] = [
        {"repetition_penalty": 1.4},
        {"no_repeat_ngram": 2},
        {},
        {"temperature": 1.0, "frequency_penalty": 1.0},
        {"temperature": 1.0, "typical_p": 0.5},
    ]
    requests = [
        Request(prompt, n=2, sampling=Sampling(6 + 3 * i, **settings[i % 5]), seed=i)  # type: ignore[arg-type]
        for i, prompt in enumerate(prompts)
    ]
    together = NaiveSampler(model, end_ids=[END], stride=stride).sample(requests)
    alone = [
        one for request in requests for one in NaiveSampler(model, end_ids=[END]).sample([request])
    ]
    assert [sample.ids for sample in together] == [sample.ids for sample in alone]


@pytest.mark.parametrize(
    "settings", [{"repetition_penalty": 1.5}, {"no_repeat_ngram": 2}, {"no_repeat_ngram": 1}]
)
def test_greedy_answers_are_those_of_transformers(
    model: LlamaForCausalLM, prompts: Prompts, settings: dict[str, Any]
) -> None:
    prompt = prompts[0]
    names = {"no_repeat_ngram": "no_repeat_ngram_size"}
    theirs = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
        max_new_tokens=25,
        do_sample=False,
        **{names.get(name, name): value for name, value in settings.items()},
    )
    ours = NaiveSampler(model, end_ids=[END]).sample(
        [Request(prompt, sampling=Sampling(25, **settings))]
    )
    assert list(ours[0].ids) == theirs[0, len(prompt) :].tolist()


def test_logprobs_are_of_the_penalised_distribution(
    model: LlamaForCausalLM, prompts: Prompts
) -> None:
    """What was reported for each token is recomputed from the model's logits and the penalty."""
    prompt, settings = prompts[0], Sampling(12, temperature=0.8, repetition_penalty=1.7)
    sample = NaiveSampler(model, end_ids=[]).sample([Request(prompt, sampling=settings)])[0]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *sample.ids]])).logits[0]
    for place, (token, logprob) in enumerate(zip(sample.ids, sample.logprobs, strict=True)):
        before = logits[len(prompt) + place - 1][None]
        scores = History([settings], [(prompt, sample.ids[:place])], "cpu")(before) / 0.8
        assert logprob == pytest.approx(float(scores.log_softmax(-1)[0, token]), abs=1e-4)


def test_who_watches_hears_every_token_of_every_answer(
    model: LlamaForCausalLM, requests_: Any
) -> None:
    heard: dict[int, list[int]] = {}

    def watch(place: int, ids: Any) -> None:
        heard.setdefault(place, []).extend(ids)

    samples = NaiveSampler(model, end_ids=[END], stride=3, watch=watch).sample(requests_())
    assert [tuple(heard[place]) for place in range(len(samples))] == [s.ids for s in samples]


class OnlyTwo:
    """Allows tokens 3 and 4."""

    def start(self, rows: int) -> int:
        return 0

    def bitmask(self, state: int) -> NDArray[np.int32]:
        return np.array([[0b11000, 0]], np.int32)

    def advance(self, state: int, tokens: NDArray[np.int64]) -> int:
        return 0


def test_a_constraint_is_stronger_than_ngrams(model: LlamaForCausalLM) -> None:
    """Each of the two comes once; then no allowed token is new, and the n-grams give way."""
    settings = Sampling(6, no_repeat_ngram=1)
    request = Request([0, 1], sampling=settings, constraint=OnlyTwo())
    sample = NaiveSampler(model, end_ids=[END]).sample([request])[0]
    assert set(sample.ids[:2]) == {3, 4}
    assert set(sample.ids) == {3, 4}
    assert len(sample.ids) == 6
    assert np.isfinite(sample.logprobs).all()
