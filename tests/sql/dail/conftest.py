"""The databases and records of the published prompts, where this machine has them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

GOLDENS = Path(__file__).parents[4] / "shared" / "goldens" / "dail"
Golden = Callable[[str], Any]


@pytest.fixture(scope="session")
def golden() -> Golden:
    """Reads a record by its file name; the test is skipped where there are none."""

    def read(name: str) -> Any:
        path = GOLDENS / name
        if not path.is_file():
            pytest.skip(f"needs the recorded prompts: {name}")
        return json.loads(path.read_text(encoding="utf-8"))

    return read


@pytest.fixture(scope="session")
def recorded_databases(golden: Golden, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty SQLite file per recorded schema: FOLDER/ID/ID.sqlite."""
    folder = tmp_path_factory.mktemp("recorded")
    for db_id, texts in golden("ddl.json").items():
        make_database(folder / db_id / f"{db_id}.sqlite", texts)
    return folder


def make_database(path: Path, texts: str) -> None:
    """Create the tables of `texts`, which are parted by empty lines and have no semicolons."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        for text in re.split(r"\n\n(?=CREATE TABLE)", texts):
            if not text.startswith("CREATE TABLE sqlite_sequence"):
                connection.execute(text)
