"""`luciola sql inspect`: what a person sees of a database before asking."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from luciola.sql.inspection import inspection


def inspected(script: str, *values: object) -> list[str]:
    with closing(sqlite3.connect("seen.db")) as connection, connection:
        connection.executescript(script)
        if values:
            connection.execute("INSERT INTO t VALUES (?, ?)", values)
    return inspection(Path("seen.db")).splitlines()


def test_columns_stand_below_each_other_also_where_letters_are_wide() -> None:
    """A Chinese character takes two columns of the terminal."""
    shown = inspected('CREATE TABLE t ("名字" TEXT, "cities" TEXT)', "张三", "Lyon")
    assert shown[3:5] == [
        "  名字    TEXT                     张三",
        "  cities  TEXT                     Lyon",
    ]


def test_cells_and_names_give_no_commands_to_the_terminal() -> None:
    """A line end within a value would break the list, an escape could clear the screen."""
    shown = inspected('CREATE TABLE t ("a\x1b[2J" TEXT, b BLOB)', "x\x1b[2Jy\nz", b"\xff\x00")
    assert shown[3:5] == [
        "  a [2J  TEXT                     x [2Jy z",
        "  b      BLOB                     x'ff00'",
    ]
