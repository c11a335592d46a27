"""What DAIL-SQL itself computed, and the databases that it computed it from."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reference import databases
from reference_values import Source, sources

Golden = Callable[[str], Any]


@pytest.fixture(scope="session", params=sources())
def source(request: pytest.FixtureRequest) -> Source:
    """The folder that is compared with."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def golden(source: Source) -> Golden:
    """Reads a record of DAIL-SQL by its name."""
    return lambda name: source(f"dail/{name}")


@pytest.fixture(scope="session")
def recorded_databases(
    source: Source, golden: Golden, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with a SQLite file per recorded schema: FOLDER/ID/ID.sqlite; our own have rows."""
    folder = tmp_path_factory.mktemp("recorded")
    for db_id, texts in golden("ddl").items():
        if source.is_own:
            databases.make_database(folder, db_id)
        else:
            make_database(folder / db_id / f"{db_id}.sqlite", texts)
    return folder


def make_database(path: Path, texts: str) -> None:
    """Create the tables of `texts`, which are parted by empty lines and have no semicolons."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        for text in re.split(r"\n\n(?=CREATE TABLE)", texts):
            if not text.startswith("CREATE TABLE sqlite_sequence"):
                connection.execute(text)
