"""The engine against the reference sampler, and what only the engine can do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from luciola.errors import ConfigError, LuciolaError
from luciola.rollout.engine import running, segments
from luciola.rollout.engine.engine import Event, FastEngine
from luciola.rollout.engine.source import Source
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sample, Sampling

END = 40
Requests = Callable[..., list[Request]]
Compare = Callable[..., list[Sample]]


@pytest.mark.parametrize("batch", [1, 3, 100])
@pytest.mark.parametrize("stride", [1, 5])
def test_answers_are_those_of_the_plain_sampler(
    model: LlamaForCausalLM, requests_: Requests, compare: Compare, batch: int, stride: int
) -> None:
    """Mixed lengths, filters, seeds and prefixes, whatever the slots: rows join and leave."""
    compare(model, requests_(), batch=batch, stride=stride)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.0},
        {"temperature": 1.0, "top_k": 3, "top_p": 0.9, "min_p": 0.05},
        {"temperature": 0.8, "typical_p": 0.6},
        {"temperature": 0.0, "repetition_penalty": 1.4},
        {"temperature": 1.0, "frequency_penalty": 0.5, "presence_penalty": 0.3},
        {"temperature": 0.0, "no_repeat_ngram": 2},
        {"temperature": 1.0, "no_repeat_ngram": 3, "repetition_penalty": 1.1, "top_k": 9},
    ],
)
def test_filters_and_penalties_are_those_of_the_plain_sampler(
    model: LlamaForCausalLM, requests_: Requests, compare: Compare, settings: dict[str, float]
) -> None:
    compare(model, requests_(**settings), batch=4)


def test_rows_without_penalties_are_not_touched_by_their_neighbours(
    model: LlamaForCausalLM, requests_: Requests, compare: Compare
) -> None:
    mixed = [*requests_(no_repeat_ngram=1, repetition_penalty=2.0)[:3], *requests_()[3:]]
    compare(model, mixed)


def test_many_more_requests_than_slots(model: LlamaForCausalLM, compare: Compare) -> None:
    dice = random.Random(1)
    requests = [
        Request(
            [dice.randrange(END) for _ in range(dice.randint(1, 40))],
            n=dice.randint(1, 3),
            sampling=Sampling(dice.randint(1, 25), temperature=1.0),
            seed=row,
        )
        for row in range(60)
    ]
    samples = compare(model, requests, batch=7)
    assert {s.finish for s in samples} == {"end", "length"}


def test_nothing_asked_is_nothing_answered(model: LlamaForCausalLM) -> None:
    engine = FastEngine(Source(model), end_ids=[END])
    assert engine.sample([]) == []
    assert engine.step() == []
    (sample,) = engine.sample([Request([1, 2], sampling=Sampling(0))])
    assert (sample.ids, sample.finish) == ((), "length")


def test_answers_to_one_prompt_compute_it_once(
    model: LlamaForCausalLM, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 tokens and five answers: 49 tokens are computed, and the last one by each answer."""
    computed: list[int] = []
    prefill = segments.prefill

    def spy(network: Any, cache: Any, tables: Any, chunk: Any) -> None:
        computed.extend(len(segment.ids) for segment in chunk)
        prefill(network, cache, tables, chunk)

    monkeypatch.setattr("luciola.rollout.engine.admission.prefill", spy)
    prompt = [index % END for index in range(50)]
    request = Request(prompt, n=5, sampling=Sampling(8, temperature=1.0))
    samples = compare(model, [request])
    assert computed == [49]
    assert len({s.ids for s in samples}) == 5


def test_a_kept_prefix_is_not_computed_again_and_a_sync_forgets_it(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    prefill = segments.prefill

    def spy(network: Any, cache: Any, tables: Any, chunk: Any) -> None:
        computed.extend(len(segment.ids) for segment in chunk)
        prefill(network, cache, tables, chunk)

    monkeypatch.setattr("luciola.rollout.engine.admission.prefill", spy)
    engine = FastEngine(Source(model), end_ids=[END])
    schema = [index % 39 for index in range(70)]
    first, second = (Request([*schema, *end], sampling=Sampling(6)) for end in ([1, 2], [3, 4, 5]))
    plain = NaiveSampler(model, end_ids=[END])
    assert engine.sample([first])[0].ids == plain.sample([first])[0].ids
    assert engine.sample([second])[0].ids == plain.sample([second])[0].ids
    assert computed == [71, 2]  # less each prompt's last token
    engine.sync(1)
    assert engine.sample([second])[0].version == 1
    assert computed == [71, 2, 72]


def test_a_prompt_longer_than_one_pass_is_computed_in_parts(
    model: LlamaForCausalLM, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luciola.rollout.engine.admission.CHUNK", {"cpu": 16})
    dice = random.Random(2)
    requests = [
        Request([dice.randrange(END) for _ in range(length)], sampling=Sampling(9), seed=length)
        for length in (100, 3, 45, 1)
    ]
    compare(model, requests)


def test_an_answer_ends_where_the_models_context_does(
    model: LlamaForCausalLM, compare: Compare
) -> None:
    """The context is 256."""
    request = Request([index % END for index in range(250)], n=2, sampling=Sampling(99), seed=5)
    samples = compare(model, [request])
    assert all(len(s.ids) <= 6 for s in samples)
    with pytest.raises(LuciolaError, match="leaves no room"):
        FastEngine(Source(model), end_ids=[END]).sample([Request([1] * 256)])


def test_requests_join_and_leave_between_steps(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    """Added one by one while others run; each has the answer that it has by itself."""
    engine = FastEngine(Source(model), end_ids=[END], batch=3)
    requests = requests_()
    events: list[Event] = []
    ids = {}
    for request in requests:
        ids[engine.add(request)] = request
        events += engine.step()
    while news := engine.step():
        events += news
    for id, request in ids.items():
        expected = NaiveSampler(model, end_ids=[END]).sample([request])
        for copy, sample in enumerate(expected):
            mine = [event for event in events if (event.id, event.copy) == (id, copy)]
            assert tuple(token for event in mine for token in event.ids) == sample.ids
            logprobs = [value for event in mine for value in event.logprobs]
            assert logprobs == pytest.approx(sample.logprobs, abs=1e-5)
            assert [event.finish for event in mine if event.finish] == [sample.finish]


def test_an_aborted_request_says_no_more_and_leaves_its_slot(model: LlamaForCausalLM) -> None:
    engine = FastEngine(Source(model), end_ids=[], batch=2)
    first = engine.add(Request([1, 2, 3], sampling=Sampling(50)))
    second = engine.add(Request([4, 5], sampling=Sampling(50)))
    third = engine.add(Request([6], sampling=Sampling(5)))
    assert {event.id for event in engine.step()} == {first, second}
    engine.abort(first)
    engine.abort(99)
    news = engine.step()
    assert {event.id for event in news} == {second, third}
    engine.abort(second)
    engine.abort(third)
    assert engine.step() == []


def test_sampling_while_requests_are_under_way_is_refused(model: LlamaForCausalLM) -> None:
    engine = FastEngine(Source(model), end_ids=[END])
    engine.add(Request([1, 2]))
    with pytest.raises(ConfigError, match="under way"):
        engine.sample([Request([1, 2])])


@pytest.mark.parametrize("stride", [1, 7])
def test_stop_strings_end_where_the_plain_sampler_ends(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    requests_: Requests,
    compare: Compare,
    stride: int,
) -> None:
    requests = [
        Request(r.prompt, r.n, Sampling(40, temperature=1.0), r.seed, ("a", "7 ", "xyz"))
        for r in requests_()
    ]
    samples = compare(model, requests, tokenizer=tokenizer, stride=stride, batch=5)
    assert "stop" in {s.finish for s in samples}
    with pytest.raises(ConfigError, match="tokenizer"):
        FastEngine(Source(model), end_ids=[END]).sample(requests)


class Alternating:
    """Even tokens after odd ones and the other way round; refuses after `most` tokens."""

    def __init__(self, most: int) -> None:
        self.most = most

    def start(self, rows: int) -> list[int]:
        return []

    def bitmask(self, state: list[int]) -> NDArray[np.int32]:
        allowed = np.zeros(64, bool)
        if len(state) < self.most:
            allowed[(1 + sum(state[-1:])) % 2 : END : 2] = True
        return np.packbits(allowed, bitorder="little").view("<i4").astype(np.int32)[None]

    def advance(self, state: list[int], tokens: NDArray[np.int64]) -> list[int]:
        return [*state, *map(int, tokens)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_constraints_hold_on_the_device(
    model: LlamaForCausalLM, requests_: Requests, compare: Compare, temperature: float
) -> None:
    """Constrained rows beside free ones; one that may say nothing more is refused."""
    requests = [
        Request(r.prompt, r.n, Sampling(12, temperature=temperature), r.seed,
                constraint=Alternating(5 + 10 * (index % 2)) if index % 3 else None)
        for index, r in enumerate(requests_())
    ]  # fmt: skip
    samples = compare(model, requests, batch=4)
    assert {"refused", "length"} <= {s.finish for s in samples}
    held = [s for s in samples if s.request % 3]
    assert all((a + b) % 2 for s in held for a, b in zip(s.ids, s.ids[1:], strict=False))


def test_memory_that_runs_out_halves_the_batch_and_changes_nothing(
    model: LlamaForCausalLM, requests_: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    build = running.Slots

    def scarce(network: Any, rows: int, length: int) -> Any:
        made.append(rows)
        if rows > 3:
            raise torch.OutOfMemoryError("full")
        return build(network, rows, length)

    monkeypatch.setattr(running, "Slots", scarce)
    found = FastEngine(Source(model), end_ids=[END], batch=8).sample(requests_())
    expected = NaiveSampler(model, end_ids=[END]).sample(requests_())
    assert [s.ids for s in found] == [s.ids for s in expected]
    assert made == [8, 4, 2]


def test_who_watches_hears_every_token_in_order(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    heard: dict[int, list[int]] = {}
    progress: list[tuple[int, int]] = []
    engine = FastEngine(
        Source(model),
        end_ids=[END],
        stride=3,
        watch=lambda place, ids: heard.setdefault(place, []).extend(ids),
        progress=lambda done, total: progress.append((done, total)),
    )
    samples = engine.sample(requests_())
    assert [tuple(heard[place]) for place in range(len(samples))] == [s.ids for s in samples]
    assert progress[-1] == (len(samples), len(samples))


def test_an_interrupted_call_leaves_the_engine_usable(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    def interrupt(place: int, ids: Any) -> None:
        raise KeyboardInterrupt

    watch: list[Any] = [interrupt]
    engine = FastEngine(
        Source(model), end_ids=[END], watch=lambda *news: [one(*news) for one in watch]
    )
    with pytest.raises(KeyboardInterrupt):
        engine.sample(requests_())
    watch.clear()
    expected = NaiveSampler(model, end_ids=[END]).sample(requests_())
    assert [s.ids for s in engine.sample(requests_())] == [s.ids for s in expected]
