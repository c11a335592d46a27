"""Beam and contrastive search against transformers, reference values, and greedy answers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from luciola.config.load import from_mapping
from luciola.config.sft import SftConfig
from luciola.errors import ConfigError
from luciola.models.adapters import attach_adapter
from luciola.models.q_heads import heads_for
from luciola.rollout.beam import Beams
from luciola.rollout.contrastive import Contrastive, states_of
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.searching import SearchSampler, Strategy
from luciola.rollout.steering import Advantage
from luciola.types import Request, Sample, Sampling
from reference_values import Source, sources

END = 40
VOCABULARY = 41
Prompts = list[tuple[int, ...]]


def search(
    model: PreTrainedModel, strategy: Strategy, request: Request, **options: Any
) -> list[Sample]:
    return SearchSampler(model, strategy, end_ids=[END], **options).sample([request])


@pytest.fixture(scope="module")
def sliding() -> MistralForCausalLM:
    """A window of 8 tokens, whose cache forgets."""
    torch.manual_seed(3)
    config = MistralConfig(
        vocab_size=END + 1,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=END,
        pad_token_id=END,
    )
    return MistralForCausalLM(config).eval()


@pytest.mark.parametrize("read", sources())
def test_reference_answers_are_reproduced(read: Source) -> None:
    golden, tiny = read("rl/decoding"), read("rl/tiny_gpt2")
    model = GPT2LMHeadModel(GPT2Config(**tiny["config"])).eval()
    weights = {name: torch.tensor(value) for name, value in tiny["state_dict"].items()}
    model.load_state_dict(weights, strict=False)
    prompt = golden["prompt"][0]
    request = Request(prompt, sampling=Sampling(golden["max_new_tokens"]))
    assert {"greedy", "contrastive_a0.6_k4"} <= golden["runs"].keys()
    for run in golden["runs"].values():
        settings = run["kw"]
        strategy = Contrastive(settings.get("penalty_alpha", 0.0), settings.get("top_k", 1))
        sampler = SearchSampler(model, strategy, end_ids=[golden["eos_token_id"]])
        assert [*prompt, *sampler.sample([request])[0].ids] == run["out"][0]


def contrastive_by_hand(
    model: PreTrainedModel, prompt: tuple[int, ...], alpha: float, k: int, length: int
) -> list[int]:
    """Each candidate alone, everything computed again at each step."""
    ids = list(prompt)
    for _ in range(length):
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0, -1].softmax(-1).topk(k)
            scores = []
            for p, v in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                out = model(torch.tensor([[*ids, v]]), output_hidden_states=True)
                states = out.hidden_states[-1][0, -len(ids) - 1 :]
                cosines = torch.cosine_similarity(states[:-1], states[-1:], dim=-1)
                scores.append((1 - alpha) * p - alpha * float(cosines.max()))
        ids.append(best.indices.tolist()[scores.index(max(scores))])
        if ids[-1] == END:
            break
    return ids[len(prompt) :]


@pytest.mark.parametrize(("alpha", "k"), [(0.6, 4), (0.2, 8), (1.0, 3)])
def test_contrastive_search_follows_the_paper(
    model: LlamaForCausalLM, prompts: Prompts, alpha: float, k: int
) -> None:
    request = Request(prompts[0], sampling=Sampling(15))
    found = search(model, Contrastive(alpha, k), request)[0]
    assert list(found.ids) == contrastive_by_hand(model, prompts[0], alpha, k, 15)


@pytest.mark.parametrize("strategy", [Contrastive(0.0, 4), Contrastive(0.9, 1), Beams(1)])
def test_without_contrast_or_choice_or_beams_it_is_greedy(
    model: LlamaForCausalLM, prompts: Prompts, strategy: Strategy
) -> None:
    """Also with penalties, and with the same log-probabilities of the model."""
    for prompt in prompts[:3]:
        request = Request(prompt, sampling=Sampling(20, repetition_penalty=1.2, no_repeat_ngram=2))
        if isinstance(strategy, Beams):  # beams weigh log-probabilities, as transformers does
            request = Request(prompt, sampling=Sampling(20, no_repeat_ngram=2))
        greedy = NaiveSampler(model, end_ids=[END]).sample([request])[0]
        found = search(model, strategy, request)[0]
        assert (list(found.ids), found.finish) == (list(greedy.ids), greedy.finish)
        if isinstance(strategy, Contrastive):
            assert list(found.logprobs) == pytest.approx(list(greedy.logprobs), abs=1e-4)


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"length_penalty": 2.0},
        {"length_penalty": -1.0},
        {"early_stopping": True},
        {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
    ],
)
def test_beams_find_the_answers_of_transformers(
    model: LlamaForCausalLM, prompts: Prompts, width: int, settings: dict[str, Any]
) -> None:
    own = {
        name: settings[name] for name in ("length_penalty", "early_stopping") if name in settings
    }
    sampling = Sampling(
        20,
        repetition_penalty=settings.get("repetition_penalty", 1.0),
        no_repeat_ngram=settings.get("no_repeat_ngram_size", 0),
    )
    for prompt in (prompts[0], prompts[4]):
        theirs = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            max_new_tokens=20,
            do_sample=False,
            num_beams=width,
            num_return_sequences=2,
            **settings,
        )
        found = search(model, Beams(width, **own), Request(prompt, n=2, sampling=sampling))
        for sample, ids in zip(found, theirs[:, len(prompt) :].tolist(), strict=True):
            assert list(sample.ids) == [*ids, END][: len(sample.ids)]
            assert set(ids[len(sample.ids) :]) <= {END}


def test_beams_stop_early_where_transformers_does(
    model: LlamaForCausalLM, prompts: Prompts
) -> None:
    """With ends that are reached at different lengths waiting changes the answers."""
    ends, found = [24, 25, 26, 27, END], {}
    mask = torch.ones(1, len(prompts[0]), dtype=torch.int64)
    for early in (True, False):
        theirs = model.generate(
            torch.tensor([prompts[0]]),
            attention_mask=mask,
            max_new_tokens=20,
            do_sample=False,
            num_beams=2,
            num_return_sequences=2,
            eos_token_id=ends,
            early_stopping=early,
        )
        strategy = Beams(2, early_stopping=early)
        sampler = SearchSampler(model, strategy, end_ids=ends)
        samples = sampler.sample([Request(prompts[0], n=2, sampling=Sampling(20))])
        found[early] = [list(sample.ids) for sample in samples]
        for ids, row in zip(found[early], theirs[:, len(prompts[0]) :].tolist(), strict=True):
            assert ids == row[: len(ids)]
            assert set(row[len(ids) :]) <= {END}
    assert found[True] != found[False]


def test_contrast_never_takes_what_an_ngram_forbids(
    model: LlamaForCausalLM, prompts: Prompts
) -> None:
    """At the end fewer tokens are left than there are candidates; probability counts nothing."""
    prompt = tuple(dict.fromkeys(prompts[0]))
    sampling = Sampling(VOCABULARY - len(prompt), no_repeat_ngram=1)
    sampler = SearchSampler(model, Contrastive(1.0, 8), end_ids=[])
    ids = sampler.sample([Request(prompt, sampling=sampling)])[0].ids
    assert sorted([*prompt, *ids]) == list(range(VOCABULARY))


def test_searches_work_where_the_cache_forgets(
    sliding: MistralForCausalLM, prompts: Prompts
) -> None:
    prompt = prompts[0] * 3
    request = Request(prompt, sampling=Sampling(12))
    found = search(sliding, Contrastive(0.5, 3), request)[0]
    assert list(found.ids) == contrastive_by_hand(sliding, prompt, 0.5, 3, 12)
    mask = torch.ones(1, len(prompt), dtype=torch.int64)
    theirs = sliding.generate(
        torch.tensor([prompt]), attention_mask=mask, max_new_tokens=12, num_beams=3
    )
    ids = list(search(sliding, Beams(3), request)[0].ids)
    assert theirs[0, len(prompt) :].tolist()[: len(ids)] == ids


def test_searches_work_on_a_model_that_keeps_nothing_between_tokens(prompts: Prompts) -> None:
    torch.manual_seed(4)
    config = OpenAIGPTConfig(vocab_size=END + 1, n_positions=64, n_embd=32, n_layer=2, n_head=4)
    model = OpenAIGPTLMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    prompt = torch.tensor([prompts[0]])
    request = Request(prompts[0], sampling=Sampling(12))
    found = search(model, Contrastive(0.5, 3), request)[0]
    assert list(found.ids) == contrastive_by_hand(model, prompts[0], 0.5, 3, 12)
    options = {"num_beams": 3, "eos_token_id": END, "pad_token_id": END}
    theirs = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, **options
    )
    ids = list(search(model, Beams(3), request)[0].ids)
    assert theirs[0, len(prompts[0]) :].tolist()[: len(ids)] == ids


@pytest.mark.parametrize("kind", ["prompt", "prefix"])
def test_contrast_looks_at_the_text_and_not_at_virtual_tokens(
    kind: str, model: LlamaForCausalLM, prompts: Prompts
) -> None:
    config = from_mapping(SftConfig, {"model": "m", "data": "d", "adapter": kind}, "test")
    adapted: Any = attach_adapter(deepcopy(model), config).eval()
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.5)
    found = search(adapted, Contrastive(0.6, 4), Request(prompts[0], sampling=Sampling(20)))[0]
    assert list(found.ids) == contrastive_by_hand(adapted, prompts[0], 0.6, 4, 20)


@pytest.mark.parametrize("strategy", [Contrastive(), Beams()])
def test_a_stop_string_ends_a_search(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Prompts,
    strategy: Strategy,
) -> None:
    free = search(model, strategy, Request(prompts[0], sampling=Sampling(15)))[0]
    text = tokenizer.decode([free.ids[3]])
    request = Request(prompts[0], sampling=Sampling(15), stop=(text,))
    found = search(model, strategy, request, tokenizer=tokenizer)[0]
    decoded = tokenizer.decode(list(found.ids))
    assert found.finish == "stop"
    assert text in decoded
    assert text not in tokenizer.decode(list(found.ids[:-1]))


def test_the_tokens_of_a_contrastive_search_are_heard_one_by_one(
    model: LlamaForCausalLM, prompts: Prompts
) -> None:
    heard: list[int] = []
    request = Request(prompts[0], sampling=Sampling(9))
    found = search(model, Contrastive(), request, watch=lambda _, ids: heard.extend(ids))
    assert heard == list(found[0].ids)


def test_what_a_search_cannot_do_is_refused(model: LlamaForCausalLM) -> None:
    with pytest.raises(ConfigError, match="3 answers were asked of a search over 2 beams"):
        search(model, Beams(2), Request([1], n=3))
    with pytest.raises(ConfigError, match="takes no constraint"):
        search(model, Beams(2), Request([1], constraint=object()))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Contrastive(1.5)
    with pytest.raises(ConfigError, match="stop strings"):
        search(model, Contrastive(), Request([1], stop=("a",)))


def test_searches_follow_the_heads_of_ilql(model: LlamaForCausalLM, prompts: Prompts) -> None:
    """Without contrast the search is greedy, and its logits are those that the heads changed."""
    heads = heads_for(model, two_qs=True, run_seed=2)
    request = Request(prompts[0], sampling=Sampling(12))
    steering = Advantage(heads, 30.0)
    greedy = NaiveSampler(model, end_ids=[END], steering=steering).sample([request])[0]
    plain = NaiveSampler(model, end_ids=[END]).sample([request])[0]
    found = search(model, Contrastive(0.0, 3), request, steering=steering)[0]
    assert list(found.ids) == list(greedy.ids) != list(plain.ids)


def test_contrast_needs_a_body_whose_states_can_be_seen(model: LlamaForCausalLM) -> None:
    with pytest.raises(ConfigError, match="of LlamaModel is not known"), states_of(model.model):
        pass
