"""`luciola sql eval --gold` as a user meets it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli.judging import judge_files
from luciola.errors import ConfigError, DataError
from luciola.runs.outputs import check_output

GOLD = "SELECT Name FROM Keeper WHERE Age > 35"


def judge(zoo: Path, answers: str, **changes: str) -> str:
    folder = zoo.parent
    (folder / "gold.sql").write_text(f"{GOLD}\tzoo\n{GOLD}\tzoo\n")
    (folder / "answers.sql").write_text(answers)
    places = {
        "gold": str(folder / "gold.sql"),
        "predictions": str(folder / "answers.sql"),
        "databases": str(zoo),
        "tables": str(folder / "tables.json"),
        "metrics": "em,ex,ts",
        "out": check_output(str(folder / "new" / "report.json"), inputs=(), overwrite=True),
    }
    return judge_files(
        **{**places, **changes},
        official=False,
        keep_distinct=False,
        plug_value=False,
        timeout=5.0,
    )


def test_the_table_and_the_report_say_the_same(zoo: Path) -> None:
    text = judge(zoo, f"{GOLD}\nSELECT Age FROM Keeper\n")
    whole = json.loads((zoo.parent / "new" / "report.json").read_text())
    summary = whole["summary"]
    assert [summary[name] for name in ("em", "ex", "ts", "valid")] == [0.5, 0.5, 0.5, 1.0]
    assert "all        2    50.0%    50.0%    50.0%   100.0%" in text
    assert "line 2, zoo: em: differs in select, select(no AGG), where" in text


def test_lines_are_named_as_an_editor_counts_them(zoo: Path) -> None:
    """A blank line parts two dialogues: the wrong prediction is on line 3, its index is 1."""
    folder = zoo.parent
    (folder / "gold.tsv").write_text(f"{GOLD}\tzoo\n\n{GOLD}\tzoo\n")
    text = judge(zoo, f"{GOLD}\n\nSELECT Age FROM Keeper\n", gold=str(folder / "gold.tsv"))
    assert "  line 3, zoo: em: differs in" in text
    examples = json.loads((folder / "new" / "report.json").read_text())["examples"]
    assert [(one["index"], one["line"]) for one in examples] == [(0, 1), (1, 3)]


@pytest.mark.parametrize("tables", [True, False])
def test_a_locked_database_costs_only_its_own_examples(zoo: Path, tables: bool) -> None:
    """Another program holds one of two databases: nothing there is right or wrong."""
    folder = zoo.parent
    (zoo / "held.sqlite").write_bytes((zoo / "zoo" / "zoo.sqlite").read_bytes())
    with closing(sqlite3.connect(zoo / "held.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        (folder / "gold.tsv").write_text(f"{GOLD}\tzoo\n{GOLD}\theld\n")
        changes = {} if tables else {"tables": ""}
        if tables:
            (entry,) = json.loads((folder / "tables.json").read_text())
            entries = [entry, {**entry, "db_id": "held"}]
            (folder / "tables.json").write_text(json.dumps(entries))
        text = judge(zoo, f"{GOLD}\nSELECT 1\n", gold=str(folder / "gold.tsv"), **changes)
    assert "left out because the database cannot be read: 1\n  line 2, held: " in text
    assert "database is locked" in text
    whole = json.loads((folder / "new" / "report.json").read_text())
    assert [one["ex"] for one in whole["examples"]] == [1, None]
    assert whole["summary"]["ex"] == 1.0
    assert whole["summary"]["not_judged"] == [1]
    assert whole["summary"]["gold_failures"] == []


def test_own_data_is_judged_by_the_databases_own_tables_and_keys(zoo: Path) -> None:
    """Without tables.json, keys that the database declares make two columns the same."""
    with closing(sqlite3.connect(zoo / "own.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE keeper (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE animal (name TEXT, keeper_id INTEGER REFERENCES keeper (id), pen INT);"
            "INSERT INTO keeper VALUES (1, 'Ann'), (2, 'Bo');"
            "INSERT INTO animal VALUES ('Leo', 1, 7), ('Mia', 2, 7);"
        )
    joined = "FROM animal AS T1 JOIN keeper AS T2 ON T1.keeper_id = T2.id"
    gold = f"SELECT T1.name {joined} WHERE T2.id = 2"
    answers = {
        gold: (1, 1),
        f"SELECT T1.name {joined} WHERE T1.keeper_id = 2": (1, 1),  # the same column by the key
        "SELECT name FROM animal WHERE keeper_id = 2": (0, 1),  # other tables, the same rows
        f"SELECT T1.name {joined} WHERE T1.pen = 7": (0, 0),
        f"SELECT T2.name {joined} WHERE T2.id = 2": (0, 0),
        "SELECT nam FROM animal": (0, 0),
    }
    folder = zoo.parent
    (folder / "gold.tsv").write_text(f"{gold}\town\n" * len(answers))
    given = {"gold": str(folder / "gold.tsv"), "tables": "", "metrics": "em,ex"}
    judge(zoo, "".join(f"{sql}\n" for sql in answers), **given)
    examples = json.loads((folder / "new" / "report.json").read_text())["examples"]
    assert [(one["em"], one["ex"]) for one in examples] == list(answers.values())


def test_text_that_the_database_holds_in_a_broken_encoding_does_not_stop_the_run(
    zoo: Path,
) -> None:
    text = judge(zoo, f"{GOLD} OR Name = CAST(x'ff41' AS TEXT)\nSELECT CAST(x'ff41' AS TEXT)\n")
    assert "all        2" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": "em,f1"}, "--metrics 'em,f1'"),
        ({"metrics": ","}, "no metric"),
        ({"predictions": ""}, "needs --predictions"),
        ({"databases": ""}, "needs --databases"),
        ({"databases": "gone"}, "no folder gone"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    zoo: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        judge(zoo, "a\nb\n", **changes)


def test_a_file_that_is_no_tables_json_is_named(zoo: Path) -> None:
    (zoo.parent / "other.json").write_text("[{}]")
    with pytest.raises(DataError, match=r"other\.json: is no list of schemas"):
        judge(zoo, "a\nb\n", tables=str(zoo.parent / "other.json"))


def test_execution_alone_needs_no_tables_json(zoo: Path) -> None:
    assert "100.0%" in judge(zoo, f"{GOLD}\n{GOLD}\n", tables="", metrics="ex")
