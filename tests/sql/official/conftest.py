"""A small schema, and queries parsed on it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.sql.official.grammar import parse
from luciola.sql.official.query import Query
from luciola.sql.official.schema import Schema, from_entry
from luciola.sql.official.tokens import tokenize

ENTRY = {
    "db_id": "zoo",
    "table_names_original": ["Keeper", "Animal", "Feeding"],
    "column_names_original": [
        [-1, "*"],
        [0, "Id"],
        [0, "Name"],
        [0, "Age"],
        [1, "Id"],
        [1, "Name"],
        [1, "Keeper_Id"],
        [2, "Animal_Id"],
        [2, "Value"],
    ],
    "primary_keys": [1, 4],
    "foreign_keys": [[6, 1], [7, 4]],
}


@pytest.fixture(scope="session")
def schema() -> Schema:
    return from_entry(ENTRY)


@pytest.fixture(scope="session")
def parsed(schema: Schema) -> Callable[[str], Query]:
    return lambda sql: parse(tokenize(sql), schema)


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A folder of databases with zoo/zoo.sqlite, and tables.json beside it."""
    folder = tmp_path / "database"
    make(folder / "zoo" / "zoo.sqlite", "('Ann', 30), ('Bo', 40), ('Cy', 40)")
    (tmp_path / "tables.json").write_text(json.dumps([ENTRY]))
    return folder


def make(path: Path, keepers: str) -> None:
    """A database of the zoo with these keepers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    script = f"""
        CREATE TABLE Keeper (Id INTEGER PRIMARY KEY, Name TEXT, Age INT);
        CREATE TABLE Animal (Id INTEGER PRIMARY KEY, Name TEXT, Keeper_Id INT);
        CREATE TABLE Feeding (Animal_Id INT, Value INT);
        INSERT INTO Keeper (Name, Age) VALUES {keepers};
        INSERT INTO Animal (Name, Keeper_Id) VALUES ('Leo', 1), ('Mia', 2);
        INSERT INTO Feeding VALUES (1, 5), (2, 7);"""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@pytest.fixture
def second_zoo(zoo: Path) -> Path:
    """The same with a second file beside the first, in which all keepers differ in age."""
    make(zoo / "zoo" / "zoo_1.sqlite", "('Ann', 1), ('Bo', 2), ('Cy', 45)")
    return zoo
