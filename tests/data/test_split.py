"""Held-out rows."""

from __future__ import annotations

import pytest

from luciola.data.split import prompt_key, split
from luciola.errors import ConfigError, DataError
from luciola.types import Completion, Conversation, Message, Text


def row(prompt: object, answer: object = "a") -> Completion:
    return Completion(str(prompt), str(answer))


def test_the_share_is_held_out_and_every_row_is_on_one_side() -> None:
    train, held_out = split([row(i) for i in range(200)], 0.1, seed=0)
    assert len(held_out) == 20
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(200))


def test_equal_prompts_stay_on_one_side() -> None:
    examples = [row(i % 20, answer=i) for i in range(200)]
    train, held_out = split(examples, 0.25, seed=0)
    assert len(held_out) == 50
    sides = [{examples[i].prompt for i in side.tolist()} for side in (train, held_out)]
    assert not sides[0] & sides[1]


def test_a_split_follows_from_the_seed_and_the_prompts_alone() -> None:
    examples = [row(i) for i in range(100)]
    first = {examples[i].prompt for i in split(examples, 0.2, seed=1)[1]}
    turned = examples[::-1]
    assert {turned[i].prompt for i in split(turned, 0.2, seed=1)[1]} == first
    assert {examples[i].prompt for i in split(examples, 0.2, seed=2)[1]} != first


def test_prompts_that_differ_in_case_and_white_space_are_the_same() -> None:
    assert prompt_key(row("How  many?\n")) == prompt_key(row("how many?"))
    assert prompt_key(Text("a")) != prompt_key(Text("b"))


def test_a_conversations_prompt_ends_where_its_first_answer_begins() -> None:
    opening = (Message("system", "s"), Message("user", "q"))
    one = Conversation((*opening, Message("assistant", "a"), Message("user", "x")))
    other = Conversation((*opening, Message("assistant", "b")))
    assert prompt_key(one) == prompt_key(other)
    assert prompt_key(one) != prompt_key(Conversation((opening[1], Message("assistant", "a"))))


def test_one_group_is_held_out_however_small_the_share_and_one_is_always_trained() -> None:
    assert len(split([row(1), row(2)], 0.01, seed=0)[1]) == 1
    for seed in range(10):
        train, held_out = split([row(1), *[row(2)] * 5], 0.5, seed=seed)
        assert {len(train), len(held_out)} == {1, 5}


def test_nothing_is_held_out_by_a_share_of_nothing() -> None:
    train, held_out = split([row(1)], 0, seed=0)
    assert (train.tolist(), held_out.tolist()) == ([0], [])


def test_a_split_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"eval_fraction must be 0 to 0\.5"):
        split([row(1), row(2)], 0.6, seed=0)
    with pytest.raises(DataError, match="nothing can be held out"):
        split([row(1), row(1)], 0.5, seed=0)
