"""The file tables.json of Spider and BIRD: one entry per database, and what is wrong with one.

An entry lists tables, columns (each with the number of its table, -1 for `*`), types and keys
(numbers of columns); `..._original` are the database's own names, the others are for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from luciola.errors import DataError

Entry = Mapping[str, Any]
NAMES = ("table_names_original", "column_names_original")
SPOKEN = ("table_names", "column_names", "column_types")
KEYS = (*NAMES, *SPOKEN, "foreign_keys")


def read_listing(path: str | Path) -> dict[str, Entry]:
    """The entries by `db_id`; of two with one name the last counts.

    Raises: DataError where the file cannot be read, or is no list of entries with db_id.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"is no JSON: {error}", path=path, remedy=_remedy()) from error
    if not isinstance(entries, list):
        raise DataError("is no list of schemas with db_id", path=path, remedy=_remedy())
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("db_id"), str):
            raise DataError(
                f"is no list of schemas with db_id: entry {number} has none",
                path=path,
                remedy=_remedy(),
            )
    return {entry["db_id"]: entry for entry in entries}


def fault(entry: Entry, keys: Sequence[str] = KEYS) -> str | None:
    """What is wrong with the parts `keys` of an entry, in half a sentence; None if nothing is."""
    for key in keys:
        if not isinstance(entry.get(key), list):
            return f"has no list {key!r}"
    for key in keys:
        if (problem := _fault_of(key, entry)) is not None:
            return f"{problem} in {key!r}"
    return _length_fault(entry, keys)


def checked(entry: Entry, keys: Sequence[str] = KEYS, *, path: str | Path | None = None) -> Entry:
    """The entry. Raises: DataError where something is wrong with these parts of it."""
    problem = fault(entry, keys)
    if problem is not None:
        raise DataError(
            f"the entry {entry.get('db_id')!r} of tables.json {problem}",
            path=path,
            remedy="Correct it, or leave the entry out.",
        )
    return entry


def _fault_of(key: str, entry: Entry) -> str | None:
    values = entry[key]
    if key in ("column_names_original", "column_names"):
        tables = len(_list(entry, "table_names_original" if "orig" in key else "table_names"))
        return next((f"has {v!r}" for v in values if not _is_column(v, tables)), None)
    if key == "foreign_keys":
        columns = _list(entry, "column_names_original")
        return next((f"has {v!r}" for v in values if not _is_key(v, columns)), None)
    return next((f"has {v!r}" for v in values if not isinstance(v, str)), None)


def _list(entry: Entry, key: str) -> list[Any]:
    value = entry.get(key)
    return value if isinstance(value, list) else []


def _is_column(value: Any, tables: int) -> bool:
    """[number of its table, name]"""
    pair = isinstance(value, list) and len(value) == 2
    return pair and type(value[0]) is int and -1 <= value[0] < tables and isinstance(value[1], str)


def _is_key(value: Any, columns: list[Any]) -> bool:
    """[number of a column, number of the other], neither of them `*`"""
    pair = isinstance(value, list) and len(value) == 2
    return pair and all(
        type(end) is int and 0 <= end < len(columns) and columns[end][0] >= 0 for end in value
    )


def _length_fault(entry: Entry, keys: Sequence[str]) -> str | None:
    """Lists that stand side by side have one length; the types may leave out nothing."""
    for one, other in (
        ("table_names_original", "table_names"),
        ("column_names_original", "column_names"),
        ("column_names_original", "column_types"),
    ):
        if one in keys and other in keys and len(entry[one]) != len(entry[other]):
            return f"has {len(entry[one])} {one!r} and {len(entry[other])} {other!r}"
    return None


def _remedy() -> str:
    return "Give Spider's or BIRD's tables.json, a list of entries with db_id and column_names."
