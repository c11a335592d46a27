"""Tool calls, thoughts and images are told, with their number and the first row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main
from luciola.data.readers.dropped import IMAGES, THOUGHTS, TOOLS, kinds_in

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
