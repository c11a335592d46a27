"""Small invented data sets in the layouts of the published ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

SHOP = "CREATE TABLE shop (id int, city text); INSERT INTO shop VALUES (1, 'Lyon'), (2, 'Bath')"
ENTRY: dict[str, Any] = {
    "db_id": "shop",
    "table_names": ["shop"],
    "table_names_original": ["shop"],
    "column_names": [[-1, "*"], [0, "id"], [0, "city"]],
    "column_names_original": [[-1, "*"], [0, "id"], [0, "city"]],
    "column_types": ["text", "number", "text"],
    "primary_keys": [],
    "foreign_keys": [],
}
ASKED = {"db_id": "shop", "question": "Which cities ?", "query": "SELECT city FROM shop"}


def database(path: Path, script: str = SHOP) -> Path:
    """A SQLite file made by `script`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def write(path: Path, value: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def spider(folder: Path, rows: Sequence[dict[str, Any]] = (ASKED,)) -> Path:
    """Spider's folder: train in two files, dev, a test part with its own databases."""
    for name in ("train_spider", "train_others", "dev", "test"):
        write(folder / f"{name}.json", [{**row, "question": f"{name}?"} for row in rows])
    write(folder / "tables.json", [ENTRY])
    write(folder / "test_tables.json", [ENTRY])
    database(folder / "database" / "shop" / "shop.sqlite")
    database(folder / "test_database" / "shop" / "shop.sqlite")
    return folder


def bird(folder: Path) -> Path:
    """BIRD's folder: a train part, and the dev part in the folder of its release."""
    asked = {"question_id": 7, "db_id": "shop", "question": "Which cities?"}
    for part, place in (("train", folder / "train"), ("dev", folder / "dev_20240627")):
        rows = [
            {**asked, "evidence": "city is city", "SQL": "SELECT city FROM shop"},
            {**asked, "evidence": "", "SQL": "SELECT id FROM shop", "difficulty": "moderate"},
        ]
        write(place / f"{part}.json", rows)
        write(place / f"{part}_tables.json", [ENTRY])
        database(place / f"{part}_databases" / "shop" / "shop.sqlite")
    return folder
