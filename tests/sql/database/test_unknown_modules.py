"""A virtual table that only an extension could read does not make the rest unreadable."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from luciola.sql.database.sandbox import Sandbox
from luciola.sql.inspection import inspection
from luciola.sql.schema import read_schema


def test_the_other_tables_are_shown_and_this_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("CREATE TABLE shop (id INT); CREATE TABLE area (a)")
        connection.execute("PRAGMA writable_schema=1")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = 0,"
            " sql = 'CREATE VIRTUAL TABLE area USING spatialite(a)' WHERE name = 'area'"
        )
    schema = read_schema(path)
    assert [table.name for table in schema.tables] == ["shop"]
    assert schema.unreadable == ("area (no such module: spatialite)",)
    assert "Cannot be read: area (no such module: spatialite)" in inspection(path)
    with Sandbox(path) as sandbox:
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((0,),)
