"""Logged answers as rows and as tokens; letters a to u are 0 to 20, and 22 is begin and end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from luciola.conversation.render import Renderer
from luciola.data.dialogues import Dialogue, DialogueRenderer, Side, read_dialogue, standardized
from luciola.errors import DataError
from luciola.tasks.walkers import letter_tokenizer
from luciola.types import Message, Origin
from reference_values import Source, sources
from support import build_tokenizer

HERE = Origin("samples.jsonl", 3)
END = 22


def render(phrases: tuple[str, ...], max_length: int = 20, side: Side = "right") -> Any:
    renderer = DialogueRenderer(Renderer(letter_tokenizer()), max_length, side)
    return renderer(Dialogue(phrases, (), 1.0, HERE))


def marked(tokens: Any) -> list[tuple[int, bool]]:
    return list(zip(tokens.ids.tolist(), tokens.trained.tolist(), strict=True))


@pytest.mark.parametrize("read", sources())
def test_dialogues_are_cut_as_trlx_cuts_them(read: Source) -> None:
    """Token by token, but for outputs that cutting has emptied: they are left out with their
    row.
    """
    for case in read("rl/ilql_tokenize_dialogue")["cases"]:
        dialogue = case["dialogue"]
        phrases = (dialogue,) if isinstance(dialogue, str) else tuple(dialogue)
        tokens = render(phrases, case["max_length"], case["truncation_side"])
        expected = [(t, part["is_output"]) for part in case["out"] for t in part["tokens"]]
        assert marked(tokens) == expected, case


def test_outputs_are_trained_and_the_last_one_ends_with_the_end_token_once() -> None:
    expected = [(0, False), (1, False), (2, True), (3, False), (4, True), (5, True), (END, True)]
    assert marked(render(("ab", "c", "d", "ef"))) == expected
    assert marked(render(("ab", "c", "d", "ef</s>"))) == expected


@pytest.mark.parametrize("phrases", [("cd",), ("", "cd")])
def test_a_text_without_a_prompt_stands_behind_the_begin_token(phrases: tuple[str, ...]) -> None:
    assert marked(render(phrases)) == [(END, False), (2, True), (3, True), (END, True)]


def test_an_action_needs_a_state_before_it() -> None:
    """ab|cdef cut to its last three tokens: e makes room for the begin token."""
    assert marked(render(("ab", "cdef"), 3, "left")) == [(END, False), (5, True), (END, True)]
    assert marked(render(("ab", "c"), 3, "left")) == [(1, False), (2, True), (END, True)]


def test_what_loses_all_its_outputs_trains_nothing() -> None:
    assert not render(("abcd", "e"), 4).trained.any()
    assert render(("abcd", "e"), 5).trained.sum() == 1


def test_conversations_train_the_assistants_turns() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    renderer = DialogueRenderer(Renderer(tokenizer), 100, "right")
    plain = Dialogue(("hi", "yes", "and", "no"), (), 0.5, HERE)
    tokens = renderer(plain.as_chat())
    trained = tokenizer.decode(tokens.ids[tokens.trained].tolist())
    assert trained == "yes<end>no<end>"
    assert plain.as_chat().reward == 0.5
    alone = Dialogue(("hi",), (), 0.5, HERE)
    assert alone.as_chat() == alone, "a text alone is no turn"


@pytest.mark.parametrize(
    ("row", "phrases"),
    [
        ({"prompt": "a", "output": "b"}, ("a", "b")),
        ({"prompt": "a", "completion": ""}, ("a", "")),
        ({"samples": ["a", "b", "c", "d"]}, ("a", "b", "c", "d")),
        ({"dialogue": ("a", "b")}, ("a", "b")),
        ({"samples": "ab"}, ("ab",)),
        ({"text": "ab", "other": 3}, ("ab",)),
    ],
)
def test_rows_are_read(row: dict[str, Any], phrases: tuple[str, ...]) -> None:
    assert read_dialogue({**row, "reward": 2}, HERE) == Dialogue(phrases, (), 2.0, HERE)


def test_rows_of_messages_are_read() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    messages = (Message("user", "a"), Message("assistant", "b"))
    expected = Dialogue((), messages, -1.0, HERE)
    assert read_dialogue({"messages": turns, "reward": -1}, HERE) == expected
    assert read_dialogue({"prompt": turns[:1], "output": "b", "reward": -1}, HERE) == expected


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("ab", "a sample is an object, got a text"),
        ({"prompt": "a", "output": "b"}, "has no 'reward'"),
        ({"prompt": "a", "output": "b", "reward": "good"}, "finite number, got 'good'"),
        ({"prompt": "a", "output": "b", "reward": True}, "finite number, got True"),
        ({"prompt": "a", "output": "b", "reward": math.nan}, "finite number, got nan"),
        ({"prompt": "a", "reward": 1}, "a prompt, but no 'output'"),
        ({"prompt": 7, "output": "b", "reward": 1}, "list of messages with a role"),
        ({"samples": ["a", "b", "c"], "reward": 1}, "got a list of 3"),
        ({"samples": [], "reward": 1}, "got a list of 0"),
        ({"samples": ["a", 2], "reward": 1}, r"samples\[1\] must be a text"),
        ({"question": "a", "reward": 1}, "has no answer"),
    ],
)
def test_a_row_that_is_no_sample_is_named(row: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=rf"samples.jsonl:3: .*{sentence}"):
        read_dialogue(row, HERE)


def test_rewards_get_mean_0_and_variance_1() -> None:
    """Of 1, -0.5 and 2: mean 5/6, unbiased deviation √(19/12)."""
    deviation = math.sqrt(19 / 12)
    expected = [(1 - 5 / 6) / deviation, (-0.5 - 5 / 6) / deviation, (2 - 5 / 6) / deviation]
    assert standardized([1.0, -0.5, 2.0]) == pytest.approx(expected)


@pytest.mark.parametrize("rewards", [[0.1] * 7, [3.0]])
def test_rewards_that_do_not_differ_become_zero(rewards: list[float]) -> None:
    assert np.array_equal(standardized(rewards), np.zeros(len(rewards)))
