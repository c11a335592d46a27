"""The tables and columns of one MySQL or MariaDB database, as far as this user may read them.

The server's information_schema shows what a user has any privilege on; what may not be read stays
visible there only with other privileges, and is found by asking for SELECT on each column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.counting import Counter
from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.identifier import quoted
from luciola.sql.schema import Column, ForeignKey, Schema, Table

Ask = Callable[..., list[list[Cell]]]
TABLES = """SELECT table_name, table_type, table_comment FROM information_schema.tables
    WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
    ORDER BY create_time IS NULL, create_time, table_name"""
COLUMNS = """SELECT table_name, column_name, column_type, is_nullable, column_comment, privileges
    FROM information_schema.columns WHERE table_schema = %s ORDER BY table_name, ordinal_position"""
KEYS = """SELECT table_name, constraint_name, column_name, referenced_table_name,
      referenced_column_name FROM information_schema.key_column_usage
    WHERE table_schema = %s AND (constraint_name = 'PRIMARY' OR (referenced_table_name IS NOT NULL
      AND referenced_table_schema = table_schema))
    ORDER BY table_name, constraint_name, ordinal_position"""


def readable_columns(
    ask: Ask, database: str, allowed: Allowed
) -> dict[str, tuple[str, ...] | None]:
    """Table ▶ its columns that are allowed; None where all are."""
    names: dict[str, list[str]] = defaultdict(list)
    for row in ask(COLUMNS, [database]):
        if allowed.table(str(row[0])):
            names[str(row[0])].append(str(row[1]))
    return {
        table: None
        if all(allowed.column(table, column) for column in columns)
        else tuple(column for column in columns if allowed.column(table, column))
        for table, columns in names.items()
    }


def read_schema(
    ask: Ask, database: str, dialect: str, allowed: Allowed | None, limits: Limits | None
) -> Schema:
    """Tables in order of creation, then views.

    Args:
        limits: of counting the rows; None: nothing is counted.
    """
    columns: dict[str, list[Any]] = defaultdict(list)
    hidden: dict[str, None] = {}
    for table, *rest in ask(COLUMNS, [database]):
        if "select" in str(rest[4]).lower() or not rest[4]:
            columns[str(table)].append(rest)
        else:
            hidden[str(table)] = None
    keys: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for table, constraint, *rest in ask(KEYS, [database]):
        keys[str(table)][str(constraint)].append(rest)
    count = Counter(ask, limits)
    tables: list[Table] = []
    views: list[Table] = []
    for row in ask(TABLES, [database]):
        name = str(row[0])
        if allowed is not None and not allowed.table(name):
            continue
        found = [
            column for column in columns[name] if allowed is None or allowed.column(name, column[0])
        ]
        if found:
            comment = "" if row[1] == "VIEW" else str(row[2] or "")
            read = _table(name, comment, found, keys[name], count)
            (views if row[1] == "VIEW" else tables).append(read)
    unreadable = tuple(name for name in hidden if not columns[name])
    return Schema(dialect, tuple(tables), tuple(views), () if allowed else unreadable)


def _table(
    name: str, comment: str, found: list[Any], keys: dict[str, list[Any]], count: Counter
) -> Table:
    known = {str(column[0]) for column in found}
    primary = tuple(str(row[0]) for row in keys.get("PRIMARY", []) if row[0] in known)
    foreign = [
        ForeignKey(
            tuple(str(row[0]) for row in rows), str(rows[0][1]), tuple(str(row[2]) for row in rows)
        )
        for constraint, rows in keys.items()
        if constraint != "PRIMARY" and all(row[0] in known for row in rows)
    ]
    return Table(
        name=name,
        columns=tuple(
            Column(
                str(column),
                str(declared).upper() if "'" not in str(declared) else _upper_word(str(declared)),
                nullable == "YES" and column not in primary,
                column in primary,
                comment=str(remark or ""),
            )
            for column, declared, nullable, remark, _ in found
        ),
        primary_key=primary,
        foreign_keys=tuple(sorted(foreign, key=lambda key: key.columns)),
        rows=count(quoted(name, "mysql")),
        comment=comment,
    )


def _upper_word(declared: str) -> str:
    """ENUM('a','b'): the values keep their case."""
    word, bracket, rest = declared.partition("(")
    return word.upper() + bracket + rest
