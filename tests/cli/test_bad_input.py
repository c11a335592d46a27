"""What is wrong in the names that a command is given, said before torch is imported."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luciola.cli.main import main

AGAIN = "import sys; from luciola.cli.main import main; status = main(sys.argv[1:]);"


@pytest.fixture(autouse=True)
def _files() -> None:
    """A data file, pairs, a database, a model's folder in name only, and an empty folder."""
    Path("chats.jsonl").write_text('{"text": "hello"}\n')
    Path("pairs.jsonl").write_text('{"question": "How many?", "query": "SELECT 1"}\n')
    Path("text.db").write_text("no database at all, only text\n")
    Path("model").mkdir()
    Path("model/config.json").write_text("{}")
    Path("empty").mkdir()
    connection = sqlite3.connect("shop.db")
    connection.execute("CREATE TABLE shop (name TEXT)")
    connection.close()


SFT = "train sft model=model data=chats.jsonl"
SQL = "sql train shop.db --pairs pairs.jsonl model=model"
MISTAKES = [
    (f"{SFT} data=chat.jsonl", 1, "chat.jsonl: no such file or folder\n  → Did you mean chats.jso"),
    (f"{SFT} data=gone.jsonl", 1, "gone.jsonl: no such file or folder\n  → Check the name"),
    (f"{SFT} data=chats.jsonl@2,no.csv", 1, "no.csv: no such file or folder"),
    (f"{SFT} eval_data=gone.jsonl", 1, "gone.jsonl: no such file or folder"),
    (f"{SFT} data=no/such.jsonl", 1, "its folder no does not exist either"),
    (f"{SFT} model=./gone", 1, "there is no model './gone': no such file or folder"),
    (f"{SFT} model=chats.jsonl", 1, "chats.jsonl is a file, but not a GGUF file"),
    (f"{SFT} model=empty", 1, "empty is not a model's folder: it has no config.json"),
    (f"{SFT} device=gpu", 2, "device must be auto, cpu or cuda, got 'gpu'"),
    (f"{SQL} database=gone.db", 1, "there is no database file gone.db"),
    (f"{SQL} database=text.db", 1, "text.db is not a SQLite database"),
    (f"{SQL} pairs=gone.jsonl --pairs gone.jsonl", 1, "gone.jsonl: no such file or folder"),
    (f"{SQL} eval_pairs=gone.jsonl", 1, "gone.jsonl: no such file or folder"),
    (f"{SQL} model=./gone", 1, "there is no model './gone'"),
    ("sql ask gone.db How? --model model", 1, "there is no database file gone.db"),
    ("sql ask text.db How? --model model", 1, "text.db is not a SQLite database"),
    ("sql ask empty How?", 1, "empty is a folder, not a database file"),
    ("sql ask shop.db How? --model ./gone", 1, "there is no model './gone'"),
    ("sql ask shop.db How?", 2, "no model under runs/ was trained on shop.db\n  → Name one with"),
    ("sql ask shop.db How? --timeout 0", 2, "invalid value for '--timeout'"),
    ("sql eval shop.db --pairs pairs.jsonl", 2, "either --model or --predictions\n  → A model"),
    ("sql eval shop.db --pairs gone.jsonl --model model", 1, "gone.jsonl: no such file or folder"),
    ("sql eval shop.db --pairs pairs.jsonl --predictions gone.sql", 1, "gone.sql: no such file"),
    ("sql eval gone.db --pairs pairs.jsonl --model model", 1, "there is no database file gone.db"),
    (
        "sql eval shop.db --pairs pairs.jsonl --model model --limit -1",
        2,
        "invalid value for '--limit'",
    ),
    ("sql inspect shop.db --samples -1", 2, "invalid value for '--samples'"),
]


@pytest.mark.parametrize(("words", "status", "said"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_ends_in_one_sentence(
    words: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is printed, nothing is written."""
    before = sorted(Path().rglob("*"))
    assert main(words.split()) == status
    printed, error = capsys.readouterr()
    assert printed == ""
    assert said in error
    assert error.startswith("error: ")
    assert len(error.splitlines()) <= 2
    assert sorted(Path().rglob("*")) == before


def test_an_empty_question_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "ask", "shop.db", " ", "--model", "model"]) == 2
    assert "the question is empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["train sft model=model data=gone.jsonl", "sql ask gone.db How?"])
def test_what_is_missing_is_said_before_torch_is_imported(words: str) -> None:
    """Within a second, as its import alone takes longer; twice that, as tests share processors."""
    began = time.perf_counter()
    code = AGAIN + "print(status, 'torch' in sys.modules, 'transformers' in sys.modules)"
    command = [sys.executable, "-c", code, *words.split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == "1 False False\n", result.stderr
    assert time.perf_counter() - began < 2


def test_judging_a_file_of_sql_needs_no_torch() -> None:
    Path("right.sql").write_text("SELECT 1\n")
    code = AGAIN + "print(status, 'torch' in sys.modules)"
    words = "sql eval shop.db --pairs pairs.jsonl --predictions right.sql"
    command = [sys.executable, "-c", code, *words.split()]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.splitlines()[0].startswith("execution accuracy 100.0% (1 of 1)")
    assert result.stdout.splitlines()[-1] == "0 False"
