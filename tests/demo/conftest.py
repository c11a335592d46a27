"""The demo's database, built once, opened read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from luciola.demo import database_path


@pytest.fixture(scope="session")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return database_path(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo(demo_file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{demo_file.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection
