"""One thing that was found, and the kinds of things there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["broken", "warning"]


@dataclass(frozen=True)
class Finding:
    """`place` is a database, or a row of questions; `kind` is one of `KINDS`."""

    kind: str
    place: str
    message: str

    @property
    def level(self) -> Level:
        return KINDS[self.kind][0]


KINDS: Mapping[str, tuple[Level, str]] = MappingProxyType(
    {
        "rows": ("broken", "rows that are no questions"),
        "unknown database": ("broken", "databases that questions name and that are not there"),
        "unreadable database": ("broken", "databases that cannot be read"),
        "entry": ("broken", "entries of tables.json that are incomplete"),
        "gold fails": ("broken", "gold queries that do not run"),
        "gold too slow": ("broken", "gold queries that pass the time limit"),
        "gold file": ("warning", "files of gold queries that disagree with the questions"),
        "empty result": ("warning", "gold queries that return nothing"),
        "official parser": ("warning", "gold queries that Spider's evaluator cannot parse"),
        "official value": ("warning", "gold queries that it breaks by making value 1"),
        "duplicates": ("warning", "splits that share questions"),
        "empty database": ("warning", "databases without any row"),
        "empty tables": ("warning", "databases with tables without rows"),
        "dangling keys": ("warning", "foreign keys that lead nowhere"),
        "no primary key": ("warning", "databases with tables without a primary key"),
        "empty columns": ("warning", "columns without any value"),
        "text": ("warning", "columns with text that is not UTF-8"),
        "no entry": ("warning", "databases that tables.json does not list"),
        "names": ("warning", "databases whose names differ from tables.json"),
        "foreign keys": ("warning", "databases whose foreign keys differ from tables.json"),
        "types": ("warning", "databases whose column types differ from tables.json"),
        "exported anew": ("warning", "signs that databases are not the published files"),
    }
)
"""What each kind of finding counts, the gravest first. `broken` makes the exit status 1."""
