"""Prompts from files, plugins and Python, and what is said of rows that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.conversation.render import Renderer
from luciola.errors import DataError
from luciola.methods.online.prompts import Prompts, read_prompts
from luciola.types import Message
from support import CHAT_TEMPLATE, build_tokenizer


@pytest.fixture
def renderer() -> Renderer:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    return Renderer(tokenizer)


def prompts(source: Any, renderer: Renderer, **settings: Any) -> Prompts:
    return read_prompts(source, renderer, **{"format": "auto", "longest": 100, **settings})


def write(rows: list[Any], name: str = "prompts.jsonl") -> str:
    Path(name).write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return name


def test_a_plain_prompt_is_a_users_turn_and_its_row_is_kept(renderer: Renderer) -> None:
    one = prompts(write([{"prompt": "hi", "answer": 4}]), renderer).usable[0]
    assert one.messages == (Message("user", "hi"),)
    assert list(one.ids) == renderer.prompt_ids([Message("user", "hi")])
    assert one.metadata == {"answer": 4}


def test_text_prompts_are_raw(renderer: Renderer) -> None:
    one = prompts(["hi"], renderer, format="text").usable[0]
    assert list(one.ids) == renderer.text_prompt_ids("hi")
    assert not one.messages


def test_a_conversation_ends_before_its_last_answer(renderer: Renderer) -> None:
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]
    one = prompts(write([{"messages": turns}]), renderer).usable[0]
    assert [message.content for message in one.messages] == ["a", "b", "c"]
    assert one.text == "c"


def test_a_text_file_has_a_prompt_per_line(renderer: Renderer) -> None:
    Path("prompts.txt").write_text("one\n\ntwo\n")
    assert [one.text for one in prompts("prompts.txt", renderer).usable] == ["one", "two"]


def test_a_function_gives_prompts(renderer: Renderer) -> None:
    Path("mine.py").write_text("def some():\n    return ['a', {'prompt': 'b', 'level': 2}]\n")
    found = prompts("mine.py:some", renderer).usable
    assert [one.text for one in found] == ["a", "b"]
    assert found[1].metadata == {"level": 2}


def test_prompts_that_are_too_long_are_left_out_and_counted(renderer: Renderer) -> None:
    found = prompts(["hi", "x" * 200], renderer)
    assert (len(found), found.too_long) == (1, 1)
    with pytest.raises(DataError, match="every prompt is longer than the 3 tokens"):
        prompts(["hello"], renderer, longest=3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "x"}, r"prompts.jsonl:2: the row has no prompt \(its keys: question\)"),
        ({"prompt": 3}, "prompts.jsonl:2: a prompt is a text or a list of messages, got 3"),
        ({"prompt": [{"role": "user"}]}, 'prompts.jsonl:2: each message needs "role" and'),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "has no turn to answer"),
    ],
)
def test_a_row_that_is_no_prompt_is_named(row: Any, message: str, renderer: Renderer) -> None:
    with pytest.raises(DataError, match=message):
        prompts(write([{"prompt": "fine"}, row]), renderer)


def test_no_prompts_at_all_is_said(renderer: Renderer) -> None:
    with pytest.raises(DataError, match="there are no prompts"):
        prompts([], renderer)
