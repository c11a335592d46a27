"""One database is checked by itself, and pairs are tried on it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.db")


def test_a_sound_database_has_nothing_found(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "check", str(shop)]) == 0
    assert capsys.readouterr().out == f"{shop}: 1 database\n\nnothing found\n"


def test_keys_that_lead_nowhere_and_empty_columns_are_told(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(shop)) as connection:
        connection.executescript(
            "INSERT INTO shop VALUES (4, 'West', 99); ALTER TABLE shop ADD COLUMN colour;"
            "CREATE TABLE note (text)"
        )
    assert main(["sql", "check", str(shop), "--json", "found.json"]) == 0
    said = capsys.readouterr().out
    assert "shop.city_id: 1 rows have no partner in city" in said
    assert "shop: colour" in said
    assert "1 of 3 tables hold no row: note" in said
    kinds = {each["kind"] for each in json.loads(Path("found.json").read_text())["findings"]}
    assert kinds == {"dangling keys", "empty columns", "empty tables", "no primary key"}


def test_pairs_that_do_not_run_make_it_broken(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["SELECT name FROM shop", "SELECT nam FROM shop", "SELECT 1 FROM shop WHERE id = 9"]
    lines = [json.dumps({"question": "?", "query": sql}) + "\n" for sql in rows]
    Path("pairs.jsonl").write_text("".join(lines))
    assert main(["sql", "check", str(shop), "--pairs", "pairs.jsonl"]) == 1
    said = capsys.readouterr().out
    assert "pairs.jsonl 3 questions, 1 database" in said
    assert "pairs.jsonl:2: no such column: nam" in said
    assert "pairs.jsonl:3: no row" in said


def test_what_is_no_database_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.db").write_text("not a database at all")
    assert main(["sql", "check", "shop.db"]) == 1
    assert "shop.db is not a SQLite database" in capsys.readouterr().err


def test_a_duckdb_file_is_checked_in_every_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE SCHEMA sales; CREATE TABLE sales.orders (id INT PRIMARY KEY, note TEXT);"
            "INSERT INTO sales.orders VALUES (1, NULL)"
        )
    assert main(["sql", "check", f"duckdb:///{file}"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"duckdb:///{file}: 1 database\n")
    assert "sales.orders: note" in said
