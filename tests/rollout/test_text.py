"""Answers as text."""

from __future__ import annotations

import math

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from luciola.rollout.naive import NaiveSampler
from luciola.rollout.text import answer, read
from luciola.types import Sample, Sampling

END = 40


def test_text_leaves_out_the_end_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = [*tokenizer.encode("select 1."), END]
    found = read(Sample(0, ids, [-0.5] * 10, "end"), tokenizer)
    assert (found.text, found.tokens, found.finish) == ("select 1.", 10, "end")
    assert math.isclose(found.logprob, -5.0)


def test_text_is_cut_before_the_first_stop_string(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer.encode("select 1; ;")
    found = read(Sample(0, ids, [0.0] * len(ids), "stop"), tokenizer, stop=("zz", ";", "1;"))
    assert found.text == "select "


def test_prompts_are_answered_in_order(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[tuple[int, ...]]
) -> None:
    sampler = NaiveSampler(model, end_ids=[END], tokenizer=tokenizer)
    sampling = Sampling(8, temperature=1.0)
    together = answer(sampler, tokenizer, prompts, sampling, seed=3)
    alone = [answer(sampler, tokenizer, [prompt], sampling, seed=3)[0] for prompt in prompts]
    assert [one.text for one in together] == [one.text for one in alone]
    assert len({one.text for one in together}) > 5
