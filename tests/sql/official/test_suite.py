"""Test-suite accuracy as a user walks it: several database files beside each other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main

Judge = Callable[..., list[dict[str, Any]]]
GOLD = "SELECT Name FROM Keeper WHERE Age > 35"
NO_TABLE = (
    "ts: gold fails on zoo_1.sqlite: the database does not accept the query: no such table: Keeper"
)
SLOW = f"{GOLD} AND (SELECT count(*) FROM Keeper a, Keeper b, Keeper c, Keeper d) > 0"


@pytest.fixture
def suite(second_zoo: Path) -> Path:
    """Three files: in the third there are 2,000 keepers, older and older."""
    third = second_zoo / "zoo" / "zoo_2.sqlite_big"
    third.write_bytes((second_zoo / "zoo" / "zoo.sqlite").read_bytes())
    with closing(sqlite3.connect(third)) as connection, connection:
        rows = [(f"k{age}", age) for age in range(2000)]
        connection.executemany("INSERT INTO Keeper (Name, Age) VALUES (?, ?)", rows)
    return second_zoo


@pytest.fixture
def judge(suite: Path) -> Judge:
    def judge(
        *predictions: str, metrics: str = "ts", db_id: str = "zoo", tables: bool = True
    ) -> list[dict[str, Any]]:
        Path("gold.sql").write_text(f"{GOLD}\t{db_id}\n" * len(predictions))
        Path("answers.sql").write_text("".join(f"{sql}\n" for sql in predictions))
        words = ["--gold", "gold.sql", "--predictions", "answers.sql", "--databases", str(suite)]
        words += ["--tables", str(suite.parent / "tables.json")] if tables else []
        flags = ["--metrics", metrics, "--timeout", "0.5", "--json", "r.json"]
        assert main(["sql", "eval", *words, *flags]) == 0
        found: list[dict[str, Any]] = json.loads(Path("r.json").read_text())["examples"]
        return found

    return judge


def test_the_file_on_which_a_prediction_fails_is_named(
    judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    right, lucky, rare, broken = judge(
        "SELECT Name FROM Keeper WHERE NOT Age <= 35",
        "SELECT Name FROM Keeper WHERE Age = 40",
        "SELECT Name FROM Keeper WHERE Age > 35 AND Age <> 1999",
        "SELECT Nam FROM Keeper",
        metrics="ex,ts",
    )
    assert [(each["ex"], each["ts"]) for each in (right, lucky, rare, broken)] == [
        (1, 1), (1, 0), (1, 0), (0, 0)
    ]  # fmt: skip
    assert lucky["error"] == "ts: on zoo_1.sqlite: its result differs from gold's"
    assert rare["error"] == "ts: on zoo_2.sqlite_big: its result differs from gold's"
    assert broken["error"].startswith(
        "ex: the database does not accept the query: no such column: Nam"
    )
    said = capsys.readouterr().out
    assert "line 2, zoo: ts: on zoo_1.sqlite: its result differs from gold's" in said
    assert "ts is ex here" not in said


def test_a_query_that_is_slow_on_one_file_alone_is_stopped_there(judge: Judge) -> None:
    (slow,) = judge(SLOW)
    assert (slow["ts"], slow["valid"]) == (0, 0)
    assert (
        slow["error"] == "ts: on zoo_2.sqlite_big: the query ran longer than 0.5 s and was stopped"
    )


def test_gold_that_fails_on_one_file_leaves_its_example_out(
    judge: Judge, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(suite / "zoo" / "zoo_1.sqlite")) as connection, connection:
        connection.execute("DROP TABLE Keeper")
    (found,) = judge("SELECT Name FROM Keeper WHERE Age >= 36", metrics="ex,ts")
    assert (found["ex"], found["ts"]) == (1, None)
    assert found["error"] == NO_TABLE
    said = capsys.readouterr().out
    assert "left out because gold fails: 1" in said
    assert said.splitlines()[2].split() == ["all", "1", "100.0%", "–", "100.0%"]


def test_without_the_first_file_the_others_are_the_suite(judge: Judge, suite: Path) -> None:
    (suite / "zoo" / "zoo.sqlite").unlink()
    right, wrong = judge(GOLD.replace(">", ">=").replace("35", "36"), f"{GOLD} LIMIT 1")
    assert (right["ts"], wrong["ts"]) == (1, 0)
    (unjudged, _) = judge(GOLD, GOLD, metrics="ex")
    assert (unjudged["ex"], unjudged["error"]) == (
        None,
        "not judged: there is no database file",
    )


def test_a_database_that_is_nowhere_is_named_with_its_file(
    judge: Judge, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        judge(GOLD, db_id="moon", tables=False)
    said = capsys.readouterr().err
    assert f"no file {suite / 'moon' / 'moon.sqlite'}, and no entry in tables.json" in said


def test_a_suite_of_single_files_is_said_to_be_none(
    judge: Judge, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("zoo_1.sqlite", "zoo_2.sqlite_big"):
        (suite / "zoo" / name).unlink()
    judge(GOLD)
    assert "ts is ex here: no database has a second file" in capsys.readouterr().out
