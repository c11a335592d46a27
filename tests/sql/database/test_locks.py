"""A program that holds a SQLite file open keeps its locks while the sandbox reads that file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from luciola.sql.checks.contents import read_contents
from luciola.sql.dail.cells import DatabaseCells
from luciola.sql.dail.facts import read_facts
from luciola.sql.database.hashing import hashes
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.inspection import inspection
from luciola.sql.official.schema import from_sqlite
from luciola.sql.schema import read_schema
from luciola.sql.values import ValueIndex

ANOTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("locked it")
except sqlite3.OperationalError as error:
    print(error)
"""


def run_a_query(path: Path) -> None:
    with Sandbox(path) as sandbox:
        assert sandbox.run("SELECT count(*) FROM t").rows == ((1,),)


READERS: dict[str, Callable[[Path], object]] = {
    "run": run_a_query,
    "schema": read_schema,
    "values": lambda path: ValueIndex.read(path, read_schema(path)),
    "inspection": inspection,
    "contents": lambda path: read_contents("t", path),
    "official": lambda path: from_sqlite(path, {}),
    "facts": read_facts,
    "hashes": lambda path: hashes([path]),
    "cells": lambda path: DatabaseCells(path, [("t", "a")]),
}


@pytest.mark.parametrize("name", READERS)
def test_reading_drops_no_lock_that_this_program_holds(name: str, tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any descriptor of that file."""
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.executescript("CREATE TABLE t (a); INSERT INTO t VALUES ('x')")
        application.execute("BEGIN IMMEDIATE")
        application.executemany("INSERT INTO t VALUES (?)", [("y",)] * 400)
        READERS[name](path)
        other = subprocess.run(
            [sys.executable, "-c", ANOTHER_PROGRAM, str(path)], capture_output=True, text=True
        )
        assert other.stdout.strip() == "database is locked"
        application.execute("COMMIT")
        assert application.execute("SELECT count(*) FROM t").fetchone() == (401,)
    with Sandbox(path) as sandbox:
        assert sandbox.run("SELECT count(*) FROM t").rows == ((401,),)
