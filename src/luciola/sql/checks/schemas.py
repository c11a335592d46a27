"""tables.json beside the SQLite files: where they disagree, and signs of files exported anew.

tables.json of Spider was made from its SQLite files, so that order and types follow them. Where the
order of tables or foreign keys is another, the files are not those it was made from; prompts that
show CREATE TABLE texts (CR_P) then differ from the published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from luciola.sql.checks.contents import Contents, Key, Table, listed
from luciola.sql.checks.finding import Finding
from luciola.sql.lexer import pieces
from luciola.sql.listing import NAMES, Entry, fault

KINDS = (
    ("text", ("char", "text", "var")),
    ("number", ("int", "numeric", "decimal", "number", "id", "real", "double", "float")),
    ("time", ("date", "time", "year")),
    ("boolean", ("boolean",)),
)
"""Words in a declared type, and the kind that Spider's tables.json gives such a column; BIRD's
tables.json has declared types itself (integer, real, datetime)."""
MANY = 5
"""Databases from which on it means something that all were written in one style."""
SMALL_TYPES = """
    int integer bigint smallint tinyint text varchar char real numeric decimal double float number
    bool boolean blob datetime timestamp"""
TYPES = frozenset(SMALL_TYPES.split())
"""Types in small letters, as hands write them. SQLite itself gives back INT for int."""
QUOTED_NAME = re.compile(r"\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\W?)", re.IGNORECASE)


def entry_findings(contents: Contents, entry: Entry | None) -> Iterator[Finding]:
    """What of an entry is broken, and where it and the database disagree."""
    if entry is None:
        yield Finding("no entry", contents.db_id, "has no entry in tables.json")
        return
    if (problem := fault(entry)) is not None:
        yield Finding("entry", contents.db_id, f"its entry {problem}")
    if fault(entry, (*NAMES, "foreign_keys")) is not None:
        return
    if said := list(_names(contents, entry)):
        yield Finding("names", contents.db_id, "; ".join(said))
    yield from _keys(contents, entry)
    if fault(entry) is None:
        yield from _types(contents, entry)
    yield from _order(contents, entry)


def style_findings(every: Sequence[Contents]) -> Iterator[Finding]:
    """Published files were written by many hands; one style throughout comes from one program."""
    texts = [table.create for contents in every for table in contents.tables if table.create]
    marks = {match[1] for text in texts if (match := QUOTED_NAME.match(text))}
    if len(every) < MANY or len(marks) != 1 or any(map(_has_small_type, texts)):
        return
    said = (
        f"all {len(texts):,} CREATE TABLE texts of {len(every)} databases are written in one "
        "style, with types in capitals: one program wrote them, and CR_P prompts differ from the "
        "published ones"
    )
    yield Finding("exported anew", "all databases", said)


def _has_small_type(create: str) -> bool:
    return any(kind == "word" and text in TYPES for kind, text in pieces(create))


def _names(contents: Contents, entry: Entry) -> Iterator[str]:
    real = {
        table.name.lower(): [c.name.lower() for c in table.columns] for table in contents.tables
    }
    told = {name: columns for name, columns in _told(entry).items() if not _is_own(name)}
    if missing := [name for name in told if name not in real]:
        yield f"the database lacks the tables {listed(missing)}"
    if extra := [name for name in real if name not in told]:
        yield f"tables.json lacks the tables {listed(extra)}"
    for name in told.keys() & real.keys():
        missing = [f"{name}.{column}" for column in told[name] if column not in real[name]]
        extra = [f"{name}.{column}" for column in real[name] if column not in told[name]]
        if missing:
            yield f"the database lacks the columns {listed(missing)}"
        if extra:
            yield f"tables.json lacks the columns {listed(extra)}"
        if not (missing or extra) and told[name] != real[name]:
            yield f"the columns of {name} have another order or number"


def _keys(contents: Contents, entry: Entry) -> Iterator[Finding]:
    real = {(t.name.lower(), key) for t in contents.tables for key in t.keys}
    told = {(table, key) for table, keys in _told_keys(entry).items() for key in keys}
    lacking = [_shown(*key) for key in sorted(told - real, key=str)]
    extra = [_shown(*key) for key in sorted(real - told, key=str)]
    said = [f"the database lacks {listed(lacking)}"] * bool(lacking)
    said += [f"tables.json lacks {listed(extra)}"] * bool(extra)
    if said:
        yield Finding("foreign keys", contents.db_id, "; ".join(said))


def _types(contents: Contents, entry: Entry) -> Iterator[Finding]:
    declared = {
        (table.name.lower(), column.name.lower()): column.type
        for table in contents.tables
        for column in table.columns
    }
    tables = entry["table_names_original"]
    other = []
    pairs = zip(entry["column_names_original"], entry["column_types"], strict=True)
    for (index, name), kind in pairs:
        table = tables[index].lower() if index >= 0 else ""
        written = declared.get((table, name.lower()))
        if index >= 0 and written is not None and kind_of(kind) != kind_of(written):
            other.append(f"{tables[index]}.{name} ({kind}, declared {written or 'without type'})")
    if other:
        said = f"{len(other)} columns of another type: {listed(other)}"
        yield Finding("types", contents.db_id, said)


def kind_of(declared: str) -> str:
    """text, number, time, boolean or others: what tables.json makes of a declared type."""
    small = declared.lower()
    found = (kind for kind, words in KINDS if any(word in small for word in words))
    return next(found, "others") if small else "text"


def _order(contents: Contents, entry: Entry) -> Iterator[Finding]:
    real = [table.name.lower() for table in contents.tables]
    told = [name for name in _told(entry) if not _is_own(name)]
    said = []
    if real != told and sorted(real) == sorted(told):
        said.append("its tables stand in another order than in tables.json")
    keys = _told_keys(entry)
    turned = [table.name for table in contents.tables if _is_turned(table, keys)]
    if turned:
        said.append(f"so do the foreign keys of {listed(turned)}" if said else _turned(turned))
    if said:
        yield Finding("exported anew", contents.db_id, "; ".join(said))


def _turned(names: list[str]) -> str:
    return f"the foreign keys of {listed(names)} stand in another order than in tables.json"


def _is_turned(table: Table, told: dict[str, list[Key]]) -> bool:
    listed_keys = told.get(table.name.lower(), [])
    return set(listed_keys) == set(table.keys) and listed_keys != list(table.keys)


def _told(entry: Entry) -> dict[str, list[str]]:
    """The columns of each table, in lower case."""
    found: dict[str, list[str]] = {name.lower(): [] for name in entry["table_names_original"]}
    names = list(found)
    if len(names) != len(entry["table_names_original"]):  # two that differ in case only
        return found
    for index, column in entry["column_names_original"]:
        if index >= 0:
            found[names[index]].append(column.lower())
    return found


def _told_keys(entry: Entry) -> dict[str, list[Key]]:
    tables, columns = entry["table_names_original"], entry["column_names_original"]
    found: dict[str, list[Key]] = {}
    for one, other in entry["foreign_keys"]:
        (table, column), (other_table, other_column) = columns[one], columns[other]
        key = Key(column.lower(), tables[other_table].lower(), other_column.lower())
        found.setdefault(tables[table].lower(), []).append(key)
    return found


def _is_own(name: str) -> bool:
    """Whether a table is SQLite's own; tables.json of world_1 lists one."""
    return name.startswith("sqlite_")


def _shown(table: str, key: Key) -> str:
    return f"{table}.{key.column}={key.other}.{key.other_column}"
