"""Prompts in, answers out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.chat import files
from luciola.chat.files import answer_file, read_prompts
from luciola.chat.settings import ChatSettings
from luciola.errors import ConfigError, DataError, StorageError
from luciola.types import Message


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    return path


def test_a_prompt_is_a_text_or_messages_with_a_system_message_where_it_has_none(
    tmp_path: Path,
) -> None:
    user, system = {"role": "user", "content": "b"}, {"role": "system", "content": "own"}
    file = write(
        tmp_path / "in.jsonl",
        {"prompt": "a"},
        "c",
        {"messages": [system, user]},
        {"prompt": [user]},
    )
    found = [prompt.messages for prompt in read_prompts(file, "be brief")]
    brief = Message("system", "be brief")
    assert found == [
        (brief, Message("user", "a")),
        (brief, Message("user", "c")),
        (Message("system", "own"), Message("user", "b")),
        (brief, Message("user", "b")),
    ]


def test_answers_stand_in_the_order_of_the_rows_beside_their_columns(
    echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five rows in chunks of two; seeds follow from the row's number, so numbers go on."""
    monkeypatch.setattr(files, "CHUNK", 2)
    file = write(tmp_path / "in.jsonl", *({"prompt": f"p{n}", "id": n} for n in range(5)))
    done: list[tuple[int, int]] = []
    out = tmp_path / "out.jsonl"
    summary = answer_file(
        echo, read_prompts(file), out, ChatSettings(), lambda *pair: done.append(pair)
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[3] == {"prompt": "p3", "id": 3, "answer": "3 p3", "tokens": 3, "finish": "end"}
    assert [row["answer"] for row in rows] == [f"{n} p{n}" for n in range(5)]
    assert done == [(2, 5), (4, 5), (5, 5)]
    assert str(summary) == "5 answers, 15 tokens, 10.0 tokens/s"  # three chunks of half a second


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": "a"}, "in.jsonl:1: is no prompt"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "ends with an answer already"),
        ({"messages": [{"content": "x"}]}, "in.jsonl:1: must be"),
        (7, "is no prompt: 7"),
    ],
)
def test_a_row_that_is_no_prompt_is_named(tmp_path: Path, row: Any, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read_prompts(write(tmp_path / "in.jsonl", row))
    assert told in str(caught.value)


def test_an_empty_file_holds_no_prompts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no prompts"):
        read_prompts(write(tmp_path / "in.jsonl"))


def test_answers_never_replace_a_file(echo: Any, tmp_path: Path) -> None:
    prompts = read_prompts(write(tmp_path / "in.jsonl", "a"))
    with pytest.raises(ConfigError, match="is there already"):
        answer_file(echo, prompts, tmp_path / "in.jsonl", ChatSettings())
    with pytest.raises(StorageError, match="cannot be written"):
        answer_file(echo, prompts, tmp_path / "in.jsonl" / "out.jsonl", ChatSettings())
    answer_file(echo, prompts, tmp_path / "new" / "out.jsonl", ChatSettings())
    assert len((tmp_path / "new" / "out.jsonl").read_text().splitlines()) == 1


def test_lines_end_at_line_feeds_alone_and_a_byte_order_mark_is_taken_off(tmp_path: Path) -> None:
    """U+2028, U+0085 and form feeds are part of a text; Windows writes a BOM and CR LF."""
    path = tmp_path / "in.jsonl"
    text = "a\u2028b\u0085c\x0cd"
    raw = '{"prompt": "' + text.replace("\x0c", "\\f") + '"}\r\n{"prompt": "e"}\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + raw.encode())
    assert [prompt.row["prompt"] for prompt in read_prompts(path)] == [text, "e"]


def test_utf_16_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes('{"prompt": "a"}\n'.encode("utf-16"))
    with pytest.raises(DataError, match="is UTF-16 text, and UTF-8 is needed"):
        read_prompts(path)
