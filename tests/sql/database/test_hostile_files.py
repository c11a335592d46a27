"""A hundred hostile files: whatever reads them ends in time, with an answer or one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostile_databases import HOSTILE
from luciola.errors import LuciolaError
from luciola.sql.checks.contents import read_contents
from luciola.sql.dail.cells import DatabaseCells
from luciola.sql.dail.facts import read_facts
from luciola.sql.database import reading
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.inspection import inspection
from luciola.sql.official.schema import from_sqlite
from luciola.sql.schema import read_schema
from luciola.sql.values import ValueIndex

TIMEOUT_S = 0.3


@pytest.fixture(autouse=True, scope="module")
def quick_reader() -> Iterator[None]:
    """The same sandbox with a short limit, so that what never ends costs little."""
    patch = pytest.MonkeyPatch()
    patch.setattr(reading, "TIMEOUT_S", TIMEOUT_S)
    reading.reader.cache_clear()
    yield
    reading.reader().close()
    reading.reader.cache_clear()
    patch.undo()


def query(path: Path) -> object:
    with Sandbox(path, timeout_s=TIMEOUT_S) as sandbox:
        return sandbox.run("SELECT * FROM t LIMIT 3")


READERS: dict[str, tuple[Callable[[Path], object], int]] = {
    "query": (query, 1),
    "inspection": (inspection, 3),
    "values": (lambda path: ValueIndex.read(path, read_schema(path)), 3),
    "contents": (lambda path: read_contents("t", path), 2),
    "official": (lambda path: from_sqlite(path, {}), 1),
    "facts": (read_facts, 1),
    "cells": (lambda path: DatabaseCells(path, [("t", "a")]), 1),
}
"""How each reads a file, and how many requests of it may take the whole limit."""
SLOW = ("10,000 tables", "1,900 columns", "a slow generated column", "view that grows")
"""Thousands of quick requests, or many that take the whole limit: not read in every way."""


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_ends_in_time_with_an_answer_or_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.sqlite"
    HOSTILE[name](path)
    before = contents(tmp_path)
    for reader, (read, requests) in READERS.items():
        if name in SLOW and reader not in ("query", "cells"):
            continue
        started = time.monotonic()
        try:
            said = str(read(path))
        except LuciolaError as error:
            said = error.message
            assert "\n" not in said and "Traceback" not in said, reader
        assert time.monotonic() - started < (TIMEOUT_S + 1) * requests + 3, reader
        assert "root:" not in said, reader
        if reader == "inspection":
            assert "\x1b" not in said and "\x07" not in said
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, object]:
    """What lies in a folder: names, and the bytes of files."""
    return {
        file.name: file.read_bytes() if file.is_file() and file.stat().st_size < 2**27 else None
        for file in folder.iterdir()
        if not file.is_symlink()
    }
