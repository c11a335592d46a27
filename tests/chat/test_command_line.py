"""`luciola chat` as it is typed and piped."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from luciola.chat.settings import ChatSettings, changed
from luciola.cli import chat as command
from luciola.cli.main import main

Capture = pytest.CaptureFixture[str]


def run(folder: Path, *words: str) -> int:
    return main(["chat", str(folder), *words, "--device", "cpu", "max_new_tokens=12"])


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_one_question_gives_the_answer_on_stdout_and_the_speed_beside_it(
    folder: Path, capsys: Capture
) -> None:
    assert run(folder, "what is 1+1?", "temperature=0") == 0
    first = capsys.readouterr()
    assert "tokens/s" in first.err
    assert "tokens/s" not in first.out
    run(folder, "temperature=0", "what is 1+1?")
    assert capsys.readouterr().out == first.out != "\n"


def test_a_dash_stands_for_the_input(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, "repeat:\nabc")
    expected = capsys.readouterr().out
    pipe(monkeypatch, "abc\n")
    assert run(folder, "repeat:", "-") == 0
    assert capsys.readouterr().out == expected


def test_piped_lines_are_turns_and_commands(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "saved.jsonl"
    pipe(monkeypatch, f"one\n\n//two \\\nthree\n/set temperature=0\n/save {file}\n/quit\nnever\n")
    assert run(folder, "--system", "brief") == 0
    turns = json.loads(file.read_text())["messages"]
    spoken = [turn["content"] for turn in turns if turn["role"] != "assistant"]
    assert spoken == ["brief", "one", "/two \nthree"]
    assert "saved 4 turns" in capsys.readouterr().err


def test_a_mistake_ends_a_pipe_and_not_a_terminal(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, "/sett\nhello\n")
    assert run(folder) == 2
    assert "Did you mean /set" in capsys.readouterr().err

    lines = iter(["/sett", "hello", "/quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    monkeypatch.setattr("sys.stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    assert run(folder) == 0
    shown = capsys.readouterr()
    assert "Did you mean /set" in shown.err
    assert "tokens/s" in shown.err


def test_ctrl_c_ends_the_answer_and_not_the_session(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            raise KeyboardInterrupt

    lines: Any = iter(["hello", KeyboardInterrupt, "again", EOFError])

    def typed(prompt: str) -> str:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr(command, "say", say)
    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("sys.stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _: True})())
    assert run(folder, "temperature=1") == 0
    notes = capsys.readouterr().err
    assert notes.count("tokens/s") == 2
    assert notes.count("interrupted") == 1
    assert "(Ctrl-D or /quit ends)" in notes


def test_a_file_of_prompts_is_answered_into_another(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    prompts, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    prompts.write_text('{"prompt": "a", "id": 1}\n{"prompt": "b"}\n')
    assert run(folder, "--file", str(prompts), "--out", str(out)) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["prompt"] for row in rows] == ["a", "b"]
    assert all(row["answer"] for row in rows)
    assert "2 answers" in capsys.readouterr().err
    assert run(folder, "--file", str(prompts), "--out", str(out)) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hi", "temprature=1"], "Did you mean temperature"),
        (["--file", "x.jsonl"], "--file and --out go together"),
        (["--file", "x.jsonl", "--out", "y", "hi"], "without a question"),
        (["--file", "x.jsonl", "--out", "y"], "there is no such file"),
        ([" "], "the question is empty"),
        (["hi", "--four-bit"], "--four-bit needs a CUDA GPU, and none is used here"),
        (["hi", "beta=2"], "trained with ILQL"),
        (["hi", "--template", "no.jinja"], "cannot be read"),
    ],
)
def test_mistakes_are_told(folder: Path, capsys: Capture, words: list[str], told: str) -> None:
    assert run(folder, *words) in (1, 2)
    shown = capsys.readouterr()
    assert told in shown.err
    assert "Traceback" not in shown.err


def test_the_commands_and_settings_in_the_page_are_understood() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decoding.md").read_text()
    lines = re.findall(r"^luciola chat (.+?)(?:\s{3,}.*)?$", page, re.MULTILINE)
    lines += re.findall(r"`luciola chat (\S+ .+)`", page)
    settings = re.findall(r"`([a-z_]+=[^`…]*)`", page)
    known = [line for line in settings if not line.startswith(("watch=", "engine="))]
    assert len(lines) >= 8
    assert len(known) >= 12
    for line in [*lines, *known]:
        words = shlex.split(line)
        changed(ChatSettings(), [word for word in words if command.SETTING.fullmatch(word)])
        flags = {word for word in words if word.startswith("--")}
        assert flags <= {"--system", "--adapter", "--four-bit", "--file", "--out"}
