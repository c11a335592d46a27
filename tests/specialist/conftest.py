"""A tiny database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two tables with a key between them, and a name with a quote in it."""
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT, city_id INTEGER REFERENCES city);"
        "INSERT INTO city VALUES (1, 'Bath'), (2, 'York');"
        "INSERT INTO shop VALUES (1, 'O''Fallon', 1), (2, 'South', 1), (3, 'East', 2);"
    )
    connection.close()
    return path
