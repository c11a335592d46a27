"""Logged answers and prompts with a turn that is no text: counted, left out, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.config.ilql import IlqlConfig
from luciola.config.load import from_mapping
from luciola.conversation.render import Renderer
from luciola.errors import DataError
from luciola.methods.logged import load_logs
from luciola.methods.online.prompts import read_prompts
from support import build_tokenizer

ASK, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
PICTURE = {"role": "user", "content": [{"type": "image_url"}]}
LEFT_OUT = "2 rows have a turn without text, or with an image in it (the first: rows.jsonl:2)"


def write(*rows: Any) -> str:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "rows.jsonl"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        {"messages": [ASK, CALL], "reward": 1},
        {"prompt": [PICTURE], "output": "b", "reward": 1},
    ],
)
def test_logged_answers_without_text_are_left_out_and_counted(bad: dict[str, Any]) -> None:
    def logs(*rows: Any) -> Any:
        settings = {"model": "m", "data": [write(*rows)]}
        config = from_mapping(IlqlConfig, settings, "test")
        return load_logs(config, Renderer(build_tokenizer()))

    good = {"messages": [ASK, ANSWER], "reward": 0}
    found = logs(good, bad, bad)
    assert len(found.samples) == 1
    assert any(LEFT_OUT in note for note in found.notes)
    with pytest.raises(DataError, match=r"none of the 2 rows of rows.jsonl can be used"):
        logs(bad, bad)


@pytest.mark.parametrize(
    "bad", [{"prompt": [PICTURE]}, {"messages": [ASK, CALL, {"role": "tool", "content": "1"}]}]
)
def test_prompts_without_text_are_left_out_and_counted(
    bad: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer(build_tokenizer())
    file = write({"prompt": [ASK]}, bad, bad)
    assert len(read_prompts(file, renderer, format="auto", longest=99)) == 1
    assert LEFT_OUT in caplog.text
    with pytest.raises(DataError, match=r"none of the 2 rows of rows.jsonl can be used"):
        read_prompts(write(bad, bad), renderer, format="auto", longest=99)


def test_a_call_in_a_prompts_last_answer_does_not_matter(caplog: pytest.LogCaptureFixture) -> None:
    """That answer is not read: the model writes its own."""
    parts = {"role": "user", "content": [{"type": "text", "text": "a"}]}
    file = write({"messages": [parts, CALL]})
    (prompt,) = read_prompts(file, Renderer(build_tokenizer()), format="auto", longest=99).usable
    assert prompt.text == "a"
    assert not caplog.text
