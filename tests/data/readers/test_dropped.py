"""Tool calls, thoughts and images are told, with their number and the first row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main
from luciola.data.preferences import read_preferences
from luciola.data.readers import read
from luciola.data.readers.dropped import IMAGES, THOUGHTS, TOOLS, kinds_in
from luciola.errors import DataError

ASK, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
GPT = {"from": "gpt", "value": "b"}


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ({"messages": [ASK, ANSWER]}, set()),
        ({"messages": [ASK, {**ANSWER, "tool_calls": [{"id": "1"}]}]}, {TOOLS}),
        ({"messages": [ASK, {**ANSWER, "function_call": {"name": "f"}}]}, {TOOLS}),
        ({"messages": [ASK, {"role": "tool", "content": "1"}, ANSWER]}, {TOOLS}),
        ({"messages": [ASK, ANSWER], "tools": [{"type": "function"}]}, {TOOLS}),
        ({"conversations": [{"from": "function_call", "value": "{}"}, GPT]}, {TOOLS}),
        ({"conversations": [{"from": "observation", "value": "1"}, GPT]}, {TOOLS}),
        ({"conversations": [{"from": "gpt", "value": "<tool_call>{}</tool_call>"}]}, {TOOLS}),
        ({"messages": [ASK, {**ANSWER, "reasoning_content": "hm"}]}, {THOUGHTS}),
        ({"messages": [ASK, {**ANSWER, "content": "<think>hm</think>b"}]}, {THOUGHTS}),
        ({"instruction": "a", "output": "<think>hm</think>b"}, {THOUGHTS}),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER]}, {IMAGES}),
        ({"messages": [ASK, ANSWER], "images": ["a.png"]}, {IMAGES}),
    ],
)
def test_each_shape_is_recognised(row: dict[str, Any], kinds: set[str]) -> None:
    assert kinds_in(row) == kinds


def test_check_tells_how_many_rows_and_which_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"messages": [ASK, ANSWER]}]
    rows += [{"messages": [ASK, {**ANSWER, "tool_calls": [{"id": "1"}]}]}] * 2
    rows += [{"messages": [ASK, {**ANSWER, "reasoning_content": "hm"}]}]
    Path("chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["data", "check", "chats.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "2 rows have tool calls or tool results (the first: chats.jsonl:2)" in said
    assert "1 row has thoughts (chats.jsonl:4)" in said
    assert "every row can be used, but not all that is in them" in said


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
PICTURE = {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "what?"}]}
THOUGHT = {"role": "assistant", "content": "", "reasoning_content": "hm"}
LEFT_OUT = "3 rows have a turn without text, or with an image in it (the first: rows.jsonl:2)"


def write(*rows: Any) -> str:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "rows.jsonl"


@pytest.mark.parametrize("turn", [CALL, {**CALL, "content": ""}, PICTURE, THOUGHT])
def test_rows_without_text_are_counted_and_left_out(
    turn: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"messages": [ASK, turn, ANSWER] if turn is not PICTURE else [PICTURE, ANSWER]}
    file = write({"messages": [ASK, ANSWER]}, bad, bad, bad)
    assert len(read(file)) == 1
    assert main(["data", "check", file]) == 0
    said = capsys.readouterr().out
    assert f"{LEFT_OUT}: the whole row is left out" in said
    assert "1 of 4 rows can be used" in said
    assert main(["data", "convert", file, "out.jsonl"]) == 0
    assert LEFT_OUT in capsys.readouterr().err
    assert len(Path("out.jsonl").read_text().splitlines()) == 1


def test_a_file_of_nothing_else_is_refused_with_their_number() -> None:
    file = write(*[{"messages": [ASK, CALL]}] * 3)
    with pytest.raises(DataError, match=r"none of the 3 rows of rows.jsonl can be used") as caught:
        read(file)
    assert "messages[1] calls tools and says nothing" in caught.value.message


@pytest.mark.parametrize(
    "bad",
    [
        {"prompt": [ASK], "chosen": [CALL], "rejected": [ANSWER]},
        {"prompt": [PICTURE], "chosen": [ANSWER], "rejected": [{**ANSWER, "content": "c"}]},
        {"chosen": [ASK, ANSWER], "rejected": [ASK, CALL]},
    ],
)
def test_comparisons_without_text_are_counted_and_left_out(bad: dict[str, Any]) -> None:
    good = {"prompt": "a", "chosen": "b", "rejected": "c"}
    rows = [bad, bad, bad]
    file = write(good, *rows) if "prompt" not in bad else write({**good, "prompt": [ASK]}, *rows)
    found = read_preferences(file)
    assert len(found) == 1
    assert LEFT_OUT in "\n".join(map(str, found.dropped))
    with pytest.raises(DataError, match="none of the 2 rows"):
        read_preferences(write(bad, bad))


def test_kto_rows_are_no_examples_and_no_comparisons() -> None:
    """Trained on as examples, the bad answers would be learned."""
    row = {"prompt": "a", "completion": "b", "label": False}
    file = write({**row, "label": True}, row)
    with pytest.raises(DataError, match="not examples to imitate"):
        read(file)
    with pytest.raises(DataError, match="compares no answers") as caught:
        read_preferences(file)
    assert "judges one answer (KTO)" in str(caught.value.remedy)
