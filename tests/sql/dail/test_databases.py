"""Folders of databases, tables.json, cells, words and lemmas, on an invented shop."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.errors import DatabaseError, DataError
from luciola.sql.dail.cells import DatabaseCells
from luciola.sql.dail.databases import Databases
from luciola.sql.dail.lemmas import lemmas, words
from luciola.sql.dail.tables import differences, read_tables

ENTRY = {
    "db_id": "shop",
    "table_names_original": ["Shop"],
    "table_names": ["shop"],
    "column_names_original": [[-1, "*"], [0, "id"], [0, "Town"], [0, "unit price"]],
    "column_names": [[-1, "*"], [0, "id"], [0, "home town"], [0, "unit price"]],
    "column_types": ["text", "number", "text", "number"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "shop.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE Shop (id INTEGER, Town TEXT, "unit price" REAL)')
        rows = [(1, "New York", 5), (2, "Lyon", 7), (3, None, 7)]
        connection.executemany("INSERT INTO Shop VALUES (?, ?, ?)", rows)
        connection.execute("INSERT INTO Shop VALUES (4, CAST(x'4cff' AS TEXT), 1)")
    (tmp_path / "tables.json").write_text(json.dumps([ENTRY]), encoding="utf-8")
    return tmp_path


def test_names_and_cells_are_masked(folder: Path) -> None:
    databases = Databases(folder, read_tables(folder / "tables.json"))
    asked = "Which shops' home town is New York, of more than 20?"
    expected = "which <mask> ' <mask> <mask> is <unk> <unk> , of more than <unk> ?"
    assert databases.masked("shop", asked) == expected


def test_without_tables_json_the_file_gives_the_names(folder: Path) -> None:
    databases = Databases(folder)
    assert databases.masked("shop", "Shops in Lyon") == "<mask> in <unk>"
    assert databases.skeleton("shop", "SELECT town FROM shop") == "select _ from _"


def test_cells_match_between_blanks_in_any_case_and_whole(folder: Path) -> None:
    columns = [("", "*"), ("Shop", "id"), ("Shop", "Town"), ("Shop", "unit price")]
    cells = DatabaseCells(folder / "shop" / "shop.sqlite", columns)
    assert cells.holds_word(2, "york")
    assert not cells.holds_word(2, "yor")
    assert cells.is_whole(2, "New York")
    assert not cells.is_whole(2, "new")
    assert cells.holds_word(1, "3")
    assert not cells.holds_word(0, "lyon")
    assert not cells.holds_word(3, "7.0"), "the original's query fails on a name with a blank"


def test_cells_of_names_in_any_script_are_found_and_those_of_reserved_words_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE 商店 (城市 TEXT, prix_é TEXT, "order" TEXT, "2nd" TEXT)')
        connection.execute("INSERT INTO 商店 VALUES ('北京', 'cher', 'cher', 'cher')")
    cells = DatabaseCells(path, [("商店", name) for name in ("城市", "prix_é", "order", "2nd")])
    assert cells.is_whole(0, "北京")
    assert [cells.holds_word(column, "cher") for column in range(4)] == [False, True, False, False]


@pytest.mark.parametrize("cell", ["New York", " New York", "New York ", " New York "])
def test_a_whole_cell_may_have_a_blank_before_and_after(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE shop (town TEXT)")
        connection.execute("INSERT INTO shop VALUES (?)", (cell,))
    assert DatabaseCells(path, [("shop", "town")]).is_whole(0, "new york")


def test_an_unknown_database_is_named_with_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(DatabaseError, match="no database 'bar'"):
        Databases(folder).facts("bar")


@pytest.mark.parametrize("db_id", ["../shop", "shop/shop", ""])
def test_a_name_never_leads_out_of_the_folder(folder: Path, db_id: str) -> None:
    with pytest.raises(DatabaseError, match="no database"):
        Databases(folder / "shop").facts(db_id)


def test_what_tables_json_names_and_the_database_lacks(folder: Path) -> None:
    schema = read_tables(folder / "tables.json")["shop"]
    facts = Databases(folder).facts("shop")
    assert differences(schema, facts) == []
    smaller = type(facts)((type(facts.tables[0])("shop", ("ID",), ""),))
    assert differences(schema, smaller) == ["Shop.Town", "Shop.unit price"]


@pytest.mark.parametrize("text", ["{", '[{"db": "a"}]', "[3]"])
def test_a_broken_tables_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tables.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"tables\.json"):
        read_tables(path)


def test_words_part_from_marks_and_contractions() -> None:
    assert words("Don't the co-op's 2,000 pets (old) weigh 3.5?") == [
        "do", "n't", "the", "co-op", "'s", "2,000", "pets", "(", "old", ")", "weigh", "3.5", "?",
    ]  # fmt: skip


def test_lemmas_of_plurals_and_common_verbs() -> None:
    assert lemmas(["cities", "are", "has", "women", "status"]) == [
        "city", "be", "have", "woman", "status",
    ]  # fmt: skip
