"""The attacks of `sqlite_attacks.jsonl`: SQL in which `{text*count}` stands for a repeated text."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

REPEATED = re.compile(r"\{([^{}]*|[^{}]*\{?\}?)\*(\d+)\}")
SCRIPT = """
CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO shop VALUES (1, 'Corner'), (2, 'Harbour');
CREATE INDEX by_name ON shop (name);
CREATE VIEW named AS SELECT name FROM shop;
CREATE TRIGGER after_shop AFTER DELETE ON shop BEGIN SELECT 1; END;
CREATE TABLE big (x INTEGER PRIMARY KEY AUTOINCREMENT);
WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 800)
    INSERT INTO big SELECT x FROM c;
CREATE VIEW endless AS
    WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words VALUES ('fire fly');
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
INSERT INTO boxes VALUES (1, 2, 3);
ANALYZE;
"""


class Attack(NamedTuple):
    """A statement, and what may become of it: runs, forbidden, invalid or limit."""

    sql: str
    outcomes: tuple[str, ...]


def attacks() -> list[Attack]:
    """All of them."""
    lines = Path(__file__).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Attack(row["sql"], tuple(row["outcome"].split("|"))) for row in rows]


def written_out(sql: str) -> str:
    """With every `{text*count}` repeated."""
    return REPEATED.sub(lambda match: match[1] * int(match[2]), sql)


def database(path: Path) -> Path:
    """A file with what the attacks ask for."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCRIPT)
    return path
