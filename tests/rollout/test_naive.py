"""The reference sampler against the plainest things it can be compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RwkvConfig,
    RwkvForCausalLM,
)

from luciola.errors import ConfigError, LuciolaError
from luciola.models import attention
from luciola.rollout import naive
from luciola.rollout.cache import PrefixCache
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sample, Sampling

END = 40
Requests = Callable[..., list[Request]]


def one_by_one(model: PreTrainedModel, requests: list[Request], **options: Any) -> list[Sample]:
    """Each answer computed alone, without padding and without a prefix from elsewhere."""
    samples = []
    for index, request in enumerate(requests):
        sampler = NaiveSampler(model, end_ids=[END], **options)
        samples += [
            Sample(index, sample.ids, sample.logprobs, sample.finish)
            for sample in sampler.sample([request])
        ]
    return samples


def assert_same(first: list[Sample], second: list[Sample]) -> None:
    """Same tokens and reasons, log-probabilities up to float32's rounding."""
    assert [(s.request, s.ids, s.finish) for s in first] == [
        (s.request, s.ids, s.finish) for s in second
    ]
    for one, other in zip(first, second, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("batch", [3, 100])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_batch_gives_the_answers_of_single_rows(
    model: LlamaForCausalLM, requests_: Requests, batch: int, stride: int
) -> None:
    """Mixed lengths, settings, limits and prefixes, whatever the batch and the looks at the end."""
    sampler = NaiveSampler(model, end_ids=[END], batch=batch, stride=stride)
    assert_same(sampler.sample(requests_()), one_by_one(model, requests_()))


def test_the_order_of_the_requests_does_not_matter(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    forward = NaiveSampler(model, end_ids=[END], batch=4).sample(requests_())
    backward = NaiveSampler(model, end_ids=[END], batch=4).sample(requests_()[::-1])
    last = len(requests_()) - 1
    turned = [Sample(last - s.request, s.ids, s.logprobs, s.finish) for s in backward]
    assert_same(forward, sorted(turned, key=lambda sample: sample.request))


def test_greedy_answers_equal_those_of_transformers(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    requests = requests_(temperature=0.0)
    samples = {s.request: s.ids for s in NaiveSampler(model, end_ids=[END]).sample(requests)}
    for index, request in enumerate(requests):
        prompt = torch.tensor([request.prompt])
        generated = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=request.sampling.max_new_tokens,
        )
        assert samples[index] == tuple(generated[0, prompt.shape[1] :].tolist())


def test_logprobs_equal_those_of_a_full_forward_pass(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    """At temperature 1 and without filters; at temperature 0.7 of the logits divided by 0.7."""
    for temperature in (1.0, 0.7):
        requests = requests_(temperature=temperature, top_p=1.0, top_k=0, min_p=0.0)
        for sample in NaiveSampler(model, end_ids=[END]).sample(requests):
            prompt = list(requests[sample.request].prompt)
            with torch.no_grad():
                logits = model(torch.tensor([prompt + list(sample.ids)])).logits[0]
            expected = (logits[len(prompt) - 1 : -1] / temperature).log_softmax(-1)
            taken = expected.gather(-1, torch.tensor(sample.ids)[:, None])[:, 0]
            assert sample.logprobs == pytest.approx(taken.tolist(), abs=1e-4)


def test_answers_to_one_request_differ_and_another_seed_gives_others(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]]
) -> None:
    def answers(seed: int) -> list[tuple[int, ...]]:
        request = Request(prompts[1], n=4, sampling=Sampling(12, temperature=1.0), seed=seed)
        return [tuple(s.ids) for s in NaiveSampler(model, end_ids=[END]).sample([request])]

    assert len(set(answers(1))) == 4
    assert answers(1) == answers(1)
    assert not set(answers(1)) & set(answers(2))


def test_a_kept_prefix_changes_no_answer_and_is_not_computed_again(
    model: LlamaForCausalLM, requests_: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call finds the 70 tokens of its prompt's prefix and computes the rest alone."""
    sampler = NaiveSampler(model, end_ids=[END])
    first, second = requests_()[1:3]
    sampler.sample([first])
    lengths: list[int] = []
    forward = sampler.forward

    def spy(ids: torch.Tensor, *args: Any) -> Any:
        lengths.append(ids.shape[1])
        return forward(ids, *args)

    monkeypatch.setattr(sampler, "forward", _Spied(spy, forward))
    samples = sampler.sample([second])
    assert lengths[0] == len(second.prompt) - 1 - 70
    assert set(lengths[1:]) == {1}
    assert_same(samples, one_by_one(model, [second]))


class _Spied:
    """A forward pass that is watched."""

    def __init__(self, call: Callable[..., Any], forward: Any) -> None:
        self.call, self.device, self.dtype = call, forward.device, forward.dtype

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)


def test_new_weights_are_used_after_sync(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]]
) -> None:
    """Without forgetting the prefix, the answer would mix old and new weights."""
    request = Request(prompts[1], sampling=Sampling(12))
    changed = LlamaForCausalLM(model.config)
    changed.load_state_dict(model.state_dict())
    sampler = NaiveSampler(changed, end_ids=[END])
    sampler.sample([request])
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in changed.parameters():
            weight += 0.1 * torch.randn_like(weight)
    sampler.sync(7)
    [sample] = sampler.sample([request])
    [expected] = one_by_one(changed, [request])
    assert sample.version == 7
    assert sample.ids == expected.ids
    assert sample.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_finished_rows_are_computed_no_further(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]]
) -> None:
    """Limits 2, 2, 2 and 20: after 2 tokens one row goes on alone."""
    sampler = NaiveSampler(model, end_ids=[])
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _, __, inputs: sizes.append(len(inputs["input_ids"])), with_kwargs=True
    )
    limits = [2, 2, 2, 20]
    try:
        samples = sampler.sample(
            [Request(p, sampling=Sampling(n)) for p, n in zip(prompts, limits, strict=False)]
        )
    finally:
        handle.remove()
    assert [len(sample.ids) for sample in samples] == limits
    assert sizes[-18:] == [1] * 18


def test_prompts_are_computed_in_pieces_when_they_are_many(
    model: LlamaForCausalLM, requests_: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 40 tokens in one forward pass, and the same answers."""
    monkeypatch.setattr("luciola.rollout.batch.PREFILL_TOKENS", 40)
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _, __, inputs: sizes.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    try:
        samples = NaiveSampler(model, end_ids=[END]).sample(requests_())
    finally:
        handle.remove()
    assert max(sizes) <= 40
    assert_same(samples, one_by_one(model, requests_()))


def test_the_end_token_ends_an_answer_and_is_part_of_it(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]]
) -> None:
    request = Request(prompts[1], sampling=Sampling(12))
    [free] = NaiveSampler(model, end_ids=[]).sample([request])
    end = free.ids[5]
    [ended] = NaiveSampler(model, end_ids=[end]).sample([request])
    assert free.finish == "length" and len(free.ids) == 12
    assert ended.finish == "end"
    assert ended.ids == free.ids[: free.ids.index(end) + 1]


@pytest.mark.parametrize("stride", [1, 8])
def test_a_stop_string_ends_an_answer_also_where_it_spans_tokens(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: list[tuple[int, ...]],
    stride: int,
) -> None:
    request = Request(prompts[1], sampling=Sampling(12))
    sampler = NaiveSampler(model, end_ids=[END], tokenizer=tokenizer, stride=stride)
    [free] = sampler.sample([request])
    text = tokenizer.decode(free.ids)
    stop = text[6:8]
    [stopped] = sampler.sample([Request(prompts[1], sampling=Sampling(12), stop=("never", stop))])
    assert stopped.finish == "stop"
    assert tokenizer.decode(stopped.ids) == text[: text.index(stop) + 2]
    assert len(stopped.logprobs) == len(stopped.ids)


def test_stop_strings_without_a_tokenizer_are_refused(model: LlamaForCausalLM) -> None:
    with pytest.raises(ConfigError, match="tokenizer"):
        NaiveSampler(model, end_ids=[END]).sample([Request([1], stop=("x",))])


class OddThenEven:
    """Allows odd tokens and even ones by turns, `turns` times, and then nothing."""

    def __init__(self, turns: int) -> None:
        self.turns = turns

    def start(self, rows: int) -> NDArray[np.int64]:
        return np.zeros(rows, np.int64)

    def bitmask(self, state: NDArray[np.int64]) -> NDArray[np.int32]:
        odd, even = np.int32(-1431655766), np.int32(1431655765)  # 0b1010…, 0b0101…
        words = [(0 if turn >= self.turns else even if turn % 2 else odd) for turn in state]
        return np.repeat(np.array(words, np.int32)[:, None], 2, axis=1)

    def advance(self, state: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        assert tokens.shape == state.shape
        return state + 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_constraint_is_kept_beside_rows_without_one(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]], temperature: float
) -> None:
    """Odd, even, odd, ...; refused after 6 tokens where nothing more is allowed."""
    sampling = Sampling(10, temperature=temperature)
    requests = [
        Request(prompts[1], sampling=sampling, seed=1, constraint=OddThenEven(99)),
        Request(prompts[2], sampling=sampling, seed=2),
        Request(prompts[3], sampling=sampling, seed=3, constraint=OddThenEven(6)),
    ]
    bound, free, refused = NaiveSampler(model, end_ids=[]).sample(requests)
    assert [token % 2 for token in bound.ids] == [1, 0] * 5
    assert [token % 2 for token in refused.ids] == [1, 0] * 3
    assert (bound.finish, free.finish, refused.finish) == ("length", "length", "refused")
    assert_same([free], [Sample(1, *_rest(one_by_one(model, requests[1:2])[0]))])


def _rest(sample: Sample) -> tuple[Any, ...]:
    return sample.ids, sample.logprobs, sample.finish


def test_a_constraints_logprobs_are_renormalised(
    model: LlamaForCausalLM, prompts: list[tuple[int, ...]]
) -> None:
    request = Request(prompts[1], sampling=Sampling(1), constraint=OddThenEven(9))
    [sample] = NaiveSampler(model, end_ids=[]).sample([request])
    with torch.no_grad():
        logits = model(torch.tensor([prompts[1]])).logits[0, -1]
    expected = logits[1::2].log_softmax(-1).max().item()
    assert sample.logprobs == pytest.approx([expected], abs=1e-4)


def test_an_answer_ends_where_the_models_context_does(model: LlamaForCausalLM) -> None:
    """250 tokens of 256 leave room for 6; 256 leave none."""
    sampler = NaiveSampler(model, end_ids=[])
    [sample] = sampler.sample([Request([1] * 250, sampling=Sampling(20))])
    assert len(sample.ids) == 6 and sample.finish == "length"
    with pytest.raises(LuciolaError, match=r"256 tokens.*context of 256"):
        sampler.sample([Request([1] * 256)])


def test_an_empty_prompt_is_refused(model: LlamaForCausalLM) -> None:
    with pytest.raises(LuciolaError, match="request 1 has an empty prompt"):
        NaiveSampler(model, end_ids=[]).sample([Request([1]), Request([])])


def test_nothing_asked_gives_nothing(model: LlamaForCausalLM) -> None:
    sampler = NaiveSampler(model, end_ids=[])
    assert sampler.sample([]) == []
    [sample] = sampler.sample([Request([1], sampling=Sampling(0))])
    assert (sample.ids, sample.finish) == ((), "length")


def test_a_model_with_sliding_windows_gives_the_answers_of_transformers() -> None:
    """A window of 16 over prompts of up to 40: no padding, no shared prefix, hence exact."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=41,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
        initializer_range=0.3,
        eos_token_id=END,
        pad_token_id=END,
    )
    model = MistralForCausalLM(config).eval()
    dice = np.random.default_rng(0)
    prompts = [dice.integers(0, 40, length).tolist() for length in (40, 7, 40, 13)]
    samples = NaiveSampler(model, end_ids=[END]).sample(
        [Request(prompt, sampling=Sampling(20)) for prompt in prompts]
    )
    for prompt, sample in zip(prompts, samples, strict=True):
        ids = torch.tensor([prompt])
        generated = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20
        )
        assert sample.ids == tuple(generated[0, len(prompt) :].tolist())


def test_learned_positions_are_never_read_past_their_end() -> None:
    """A row at the context's end finishes, and runs on in the batch until the next look."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=41, n_positions=16, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3
    )
    model = GPT2LMHeadModel(config).eval()
    requests = [Request(list(range(n)), sampling=Sampling(20)) for n in (14, 3, 9)]
    samples = NaiveSampler(model, end_ids=[END], stride=8).sample(requests)
    assert [len(sample.ids) for sample in samples] == [2, 13, 7]
    assert_same(samples, one_by_one(model, requests))


@pytest.mark.parametrize("name", ["luciola", "eager"])
def test_every_attention_samples_as_sdpa_does(
    model: LlamaForCausalLM, requests_: Requests, name: str
) -> None:
    """Rollouts use the trained model object, with the attention it trains with."""
    attention.register()
    expected = NaiveSampler(model, end_ids=[END]).sample(requests_())
    model.set_attn_implementation(name)
    try:
        assert_same(NaiveSampler(model, end_ids=[END]).sample(requests_()), expected)
    finally:
        model.set_attn_implementation("sdpa")


def test_sampling_switches_dropout_off_and_leaves_training_mode_as_it_was(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    modes: list[bool] = []
    handle = model.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    model.train()
    try:
        NaiveSampler(model, end_ids=[END]).sample(requests_()[:1])
        assert model.training and not any(modes)
    finally:
        handle.remove()
        model.eval()


def test_progress_counts_every_answer(model: LlamaForCausalLM, requests_: Requests) -> None:
    seen: list[tuple[int, int]] = []
    sampler = NaiveSampler(
        model, end_ids=[END], batch=4, progress=lambda done, total: seen.append((done, total))
    )
    total = len(sampler.sample(requests_()))
    assert seen[-1] == (total, total) and len(seen) == -(-total // 4)


def test_prefixes_can_be_shared_between_samplers(
    model: LlamaForCausalLM, requests_: Requests
) -> None:
    kept = PrefixCache()
    NaiveSampler(model, end_ids=[END], prefixes=kept).sample(requests_()[:1])
    assert len(kept) == 1
    assert naive.FINISHED_SHARE > 0


def test_out_of_memory_halves_the_batch_and_changes_no_answer(
    model: LlamaForCausalLM, requests_: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory ends in the third step of a batch of more than 3 rows: its answers begin again."""
    expected = NaiveSampler(model, end_ids=[END], batch=100).sample(requests_())
    sampler = NaiveSampler(model, end_ids=[END], batch=100)
    calls, passed = [0], []
    choose = naive.choose

    def limited(logits: Any, *others: Any) -> Any:
        calls[0] += 1
        if len(logits) > 3 and calls[0] % 3 == 0:
            raise torch.OutOfMemoryError("full")
        passed.append(len(logits))
        return choose(logits, *others)

    monkeypatch.setattr(naive, "choose", limited)
    found = sampler.sample(requests_())
    assert [one.ids for one in found] == [one.ids for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert sampler.batch <= 3 < max(passed)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        monkeypatch.setattr(naive, "choose", always_full)
        sampler.sample(requests_())


def always_full(*_: Any) -> Any:
    raise torch.OutOfMemoryError("full")


def test_rows_of_a_model_whose_states_transformers_mixes_up_are_those_of_single_rows() -> None:
    torch.manual_seed(6)
    config = RwkvConfig(vocab_size=END + 1, hidden_size=32, num_hidden_layers=2, context_length=64)
    model = RwkvForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    prompts = ([3, 7, 9, 4], [8, 11, 2, 5], [1, 1, 30, 31])
    requests = [Request(prompt, sampling=Sampling(8)) for prompt in prompts]
    together = NaiveSampler(model, end_ids=[END]).sample(requests)
    assert_same(together, one_by_one(model, requests))
