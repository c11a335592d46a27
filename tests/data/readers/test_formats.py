"""Each format: recognised from its rows, read as what it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from luciola.data.readers import read
from luciola.errors import DataError
from luciola.types import Completion, Conversation, Message, Origin, Text

Write = Callable[..., str]
ASK, ANSWER = Message("user", "q"), Message("assistant", "a")


def only(path: str, form: str) -> Any:
    """The file's one example, without its place."""
    dataset = read(path)
    assert dataset.format == form
    assert len(dataset) == 1
    assert dataset.examples[0].origin == Origin(path, 1)
    return dataset.examples[0]


def turns(*messages: Message) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


@pytest.mark.parametrize("key", ["messages", "conversations", "conversation"])
def test_messages_are_read_under_each_of_their_names(jsonl: Write, key: str) -> None:
    example = only(jsonl({key: turns(ASK, ANSWER), "tools": [], "id": 3}), "messages (OpenAI)")
    assert example.messages == (ASK, ANSWER)


def test_messages_say_themselves_what_is_trained(jsonl: Write) -> None:
    rows = turns(ASK, ANSWER, ASK, ANSWER)
    rows[1]["weight"] = 0  # type: ignore[assignment]
    rows[2]["trained"] = True  # type: ignore[assignment]
    example = only(jsonl({"messages": rows}), "messages (OpenAI)")
    assert [m.trained for m in example.messages] == [None, False, True, None]


def test_text_parts_are_joined_and_blank_system_messages_dropped(jsonl: Write) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    row = {
        "messages": [
            {"role": "system", "content": " "},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": "a"},
        ]
    }
    example = only(jsonl(row), "messages (OpenAI)")
    assert example.messages == (Message("user", "one two"), ANSWER)


def test_alpaca_joins_instruction_and_input_and_keeps_history_and_system(jsonl: Write) -> None:
    row = {
        "instruction": "add",
        "input": "1 2",
        "output": "3",
        "history": [["hi", "hello"]],
        "system": "s",
    }
    assert only(jsonl(row), "alpaca").messages == (
        Message("system", "s"),
        Message("user", "hi"),
        Message("assistant", "hello"),
        Message("user", "add\n1 2"),
        Message("assistant", "3"),
    )
    bare = {"instruction": "q", "input": "", "output": "a", "history": None}
    assert only(jsonl(bare), "alpaca").messages == (ASK, ANSWER)


def test_sharegpt_roles_become_ours(jsonl: Write) -> None:
    names = ["human", "function_call", "observation", "gpt"]
    row = {"conversations": [{"from": n, "value": n} for n in names], "system": "s"}
    found = only(jsonl(row), "sharegpt").messages
    assert [m.role for m in found] == ["system", "user", "assistant", "tool", "assistant"]
    assert [m.content for m in found] == ["s", *names]


def test_firefly_turns_are_stripped(jsonl: Write) -> None:
    row = {
        "conversation_id": 1,
        "category": "x",
        "system": " s ",
        "conversation": [
            {"human": " q\n", "assistant": "a "},
            {"human": "q", "assistant": "a"},
        ],
    }
    found = only(jsonl(row), "firefly").messages
    assert found == (Message("system", "s"), ASK, ANSWER, ASK, ANSWER)


def test_prompt_and_completion_are_raw_text(jsonl: Write) -> None:
    path = jsonl({"prompt": "q ", "completion": "a"})
    example = only(path, "prompt/completion (TRL)")
    assert example == Completion("q ", "a", Origin(path, 1))


def test_of_prompt_and_completion_as_messages_only_the_completion_is_trained(jsonl: Write) -> None:
    row = {"prompt": turns(ASK, ANSWER, ASK), "completion": turns(ANSWER)}
    example = only(jsonl(row), "prompt/completion (TRL)")
    assert isinstance(example, Conversation)
    assert [m.trained for m in example.messages] == [False, False, False, None]


def test_plain_text_is_kept_to_the_letter(jsonl: Write) -> None:
    path = jsonl({"text": " a\n", "label": "pos"})
    assert only(path, "plain text") == Text(" a\n", Origin(path, 1))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"conversations": [{"from": "human", "value": "q"}], "chosen": {}, "rejected": {}},
        {"instruction": "q", "input": "", "output": ["a", "b"]},
        {"prompt": "q", "completion": "a", "label": False},
        {"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []},
    ],
)
def test_preferences_are_named_with_the_trainers_that_read_them(
    jsonl: Write, row: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl:1: these rows are preferences") as error:
        read(jsonl(row))
    assert "luciola train dpo" in str(error.value.remedy)


def test_rows_in_no_known_format_are_shown_what_there_is(jsonl: Write) -> None:
    with pytest.raises(DataError, match=r"no known format \(keys: question, query\)") as error:
        read(jsonl({"question": "q", "query": "a"}))
    for name in ("messages", "sharegpt", "firefly", "completion", "alpaca", "text"):
        assert name in error.value.message


MESSAGES = {"messages": turns(ASK, ANSWER)}
ALPACA = {"instruction": "q", "output": "a"}
SHAREGPT = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
FIREFLY = {"conversation": [{"human": "q", "assistant": "a"}]}
COMPLETION = {"prompt": "q", "completion": "a"}


@pytest.mark.parametrize(
    ("first", "row", "said"),
    [
        (MESSAGES, ALPACA, "departs from the file's format.*instruction, output.*like alpaca"),
        (MESSAGES, {"id": 1}, r"has no|must be a list"),
        (MESSAGES, {"messages": []}, "'messages' is empty"),
        (MESSAGES, {"messages": "q"}, "'messages' must be a list of objects, got a text"),
        (MESSAGES, {"messages": ["q"]}, r"messages\[0\] must be an object, got a text"),
        (MESSAGES, {"messages": turns(ASK)}, r"no assistant turn.*roles: user"),
        (MESSAGES, {"messages": turns(ANSWER)}, "no assistant turn after another"),
        (MESSAGES, {"messages": turns(ASK, Message("assistant", " "))}, r"\[1\] has an empty"),
        (
            MESSAGES,
            {"messages": turns(ASK, Message("asistant", "a"))},
            "'asistant'.*\n.*'assistant'",
        ),
        (MESSAGES, {"messages": [{"role": "user"}]}, r"\[0\]\.content must be a text, got nothing"),
        (MESSAGES, {"messages": [{"role": "user", "content": 3}]}, "got the number 3"),
        (
            MESSAGES,
            {"messages": [*turns(ASK), {"role": "assistant", "content": "a", "weight": 0}]},
            "all are marked as not",
        ),
        (
            MESSAGES,
            {"messages": [*turns(ASK), {"role": "assistant", "content": "a", "weight": 2}]},
            r"weight must be true, false, 1 or 0, got 2",
        ),
        (ALPACA, {"instruction": "q"}, r"no 'output' \(its keys: instruction\)"),
        (ALPACA, {"instruction": "q", "output": ""}, "'output' is empty"),
        (ALPACA, {"instruction": "q", "output": 1.5}, "must be a text, got the number 1.5"),
        (ALPACA, {**ALPACA, "history": [["q"]]}, r"history\[0\] must be a pair"),
        (ALPACA, {**ALPACA, "history": "q"}, "'history' must be a list of pairs, got a text"),
        (SHAREGPT, {"conversations": SHAREGPT["conversations"][:1]}, "no assistant turn"),
        (SHAREGPT, {"conversations": [{"from": "bot", "value": "q"}]}, "'bot', which is no role"),
        (
            SHAREGPT,
            {"conversations": [{"from": "gpt", "value": None}]},
            "must be a text, got nothing",
        ),
        (FIREFLY, {"conversation": [{"human": "q"}]}, r"conversation\[0\]\.assistant is missing"),
        (FIREFLY, {"conversation": [{"human": "q", "assistant": "\n"}]}, "assistant is empty"),
        (
            COMPLETION,
            {"prompt": "q", "completion": turns(ANSWER)},
            "both be texts or both be lists",
        ),
        (COMPLETION, {"prompt": turns(ASK), "completion": turns(ASK)}, "no assistant turn"),
        ({"text": "t"}, {"text": " "}, "'text' is empty"),
        ({"text": "t"}, {"text": ["t"]}, "'text' must be a text, got a list"),
        ({"text": "t"}, '{"text": "\\ud83d"}', r"half a character, \\ud83d alone"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(
    jsonl: Write, first: dict[str, Any], row: dict[str, Any] | str, said: str
) -> None:
    path = jsonl(first, first, row)
    with pytest.raises(DataError, match=said) as error:
        read(path)
    assert error.value.line == 3
    assert error.value.message.startswith(f"{path}:3: ")
