"""Nothing that comes from a database or a model steers the terminal that it is shown on."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli import questions
from luciola.cli.main import main
from luciola.cli.terminal import LONGEST_LINE, bounded, printable
from luciola.errors import SqlInvalidError
from luciola.specialist.asking import Reply
from luciola.sql.database.result import Result
from luciola.sql.table import display_width, table_text

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202eevil\x00"
STEERING = set("\x1b\x07\x9b\u202e\x00\r\x08")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Its path, a table, a column and a cell try to steer the terminal."""
    path = tmp_path / "a\x1b[31mb.sqlite"
    name = HOSTILE.replace("\x00", "").replace('"', "")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f'CREATE TABLE "t{name}" ("c{name}" TEXT, other INT REFERENCES "x{name}")'
        )
        connection.execute(f'INSERT INTO "t{name}" VALUES (?, 1)', (HOSTILE,))
        connection.execute("CREATE TABLE plain (a TEXT)")
    return path


def test_no_command_passes_control_codes_on(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"question": "?", "query": f"SELECT 'a{HOSTILE}' FROM no{HOSTILE}"}]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = tmp_path / "answers.sql"
    answers.write_text(f"SELECT {HOSTILE.replace(chr(0), '')} FROM nowhere\n")
    name, given = str(database), str(pairs)
    for command in (
        ["inspect", name],
        ["check", name, "--pairs", given],
        ["eval", name, "--pairs", given, "--predictions", str(answers)],
        ["inspect", name + HOSTILE.replace("\x00", "")],
        ["inspect", name, "--allow-tables", "no"],
        ["ask", name, "?", "--model", f"/no/{HOSTILE[:9]}"],
        ["answer", "--prompts", f"/no{HOSTILE[:9]}", "--model", "m", "--out", "o"],
        ["ablate", f"/no{HOSTILE[:9]}.yaml"],
    ):
        main(["sql", *command])
        said = "".join(capsys.readouterr())
        assert said.strip(), command
        assert not STEERING & set(said), command


def test_the_sql_and_the_rows_of_an_answer_are_harmless(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "get_terminal_size", lambda: os.terminal_size((40, 20)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    result = Result((f"a{HOSTILE}", "b" * 90), ((HOSTILE, "x" * 500),), 0.1)
    questions.say(questions.shown(Reply(f"SELECT 1 -- {HOSTILE}\nFROM t", result, None, 0.1)))
    questions.say(questions.bounded(f"error: {SqlInvalidError('x' * 10**6)}"))
    said = capsys.readouterr().out
    assert not STEERING & set(said)
    assert "SELECT 1 --" in said and "\nFROM t\n" in said
    assert max(map(display_width, said.split("\n"))) <= LONGEST_LINE + 10


@pytest.mark.parametrize("width", [24, 40, 80])
@pytest.mark.parametrize("rows", [0, 1, 30])
def test_no_line_of_a_table_is_longer_than_the_terminal(width: int, rows: int) -> None:
    for columns in (1, 3, 100):
        names = tuple(f"column {n} 列" * 9 for n in range(columns))
        result = Result(names, ((HOSTILE * 9,) * columns,) * rows, 0.1)
        text = table_text(result, terminal=width)
        assert max(map(display_width, text.split("\n"))) <= width


def test_what_scripts_and_emoji_need_stays() -> None:
    text = "می\u200cخواهم 👩\u200d👩\u200d👧 a\tb\nc"
    assert printable(text) == text
    assert printable("\ud800x") == " x"
    assert len(bounded("n" * 10**6)) < LONGEST_LINE + 10
