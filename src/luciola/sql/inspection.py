"""A database in words: its tables, keys, rows and values, and the schema as a model reads it."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.database.address import display_name
from luciola.sql.database.allowed import Allowed
from luciola.sql.database.reading import reader
from luciola.sql.prompt import schema_text, table_line
from luciola.sql.schema import Schema, Table, read_schema
from luciola.sql.table import cell_text, display_width, one_line, padded, shortened

VALUE_WIDTH = 24
KEYS_WIDTH = 14
SAMPLING_S = 60.0
"""Seconds after which no more values are looked for."""
SAMPLED_ROWS = 100_000
"""Rows among which different values are looked for."""


def inspection(
    database: str | Path,
    *,
    samples: int = 3,
    allowed: Allowed | None = None,
    terminal: int | None = None,
) -> str:
    """What a person wants to know before asking; reads only.

    Args:
        samples: values shown per column, 0: none.
        allowed: the tables, views and columns that are shown; None: all tables.
        terminal: columns of the terminal, beyond which lines are cut or broken; None: any.

    Raises: DatabaseError if the database cannot be opened.
    """
    schema = read_schema(database, allowed)
    columns = sum(len(table.columns) for table in schema.tables)
    rows = sum(table.rows or 0 for table in schema.tables)
    name = one_line(display_name(database))
    parts = [
        f"{name}: {schema.dialect}, {len(schema.tables)} tables, {columns} columns, {rows:,} rows"
    ]
    end = time.monotonic() + SAMPLING_S
    for table in (*schema.tables, *schema.views):
        found = {
            column.name: _samples(
                database, table.name, column.name, samples if time.monotonic() < end else 0
            )
            for column in table.columns
        }
        lines = _table(table, found, is_view=table in schema.views)
        parts.append("\n".join(_cut(line, terminal) for line in lines))
    if schema.unreadable:
        names = ", ".join(map(one_line, schema.unreadable))
        what = "Cannot be read" if schema.dialect == "sqlite" else "This user may not read"
        parts.append(_cut(f"{what}: {names}", terminal))
    if schema.views:
        parts.append(
            "A model reads the tables; name views in --allow-tables to have it read them too."
        )
    parts.append("\n".join(["As a model reads it:", *_as_read(schema, terminal)]))
    return "\n\n".join(parts)


def _as_read(schema: Schema, terminal: int | None) -> Iterator[str]:
    """The schema as prompts show it, in lines that fit, without commands to the terminal."""
    yield schema_text(Schema(schema.dialect, ()))
    for table in schema.tables:
        line = one_line(table_line(schema, table))
        if terminal is None or display_width(line) <= terminal:
            yield line
        else:
            yield from textwrap.wrap(
                line, terminal, initial_indent=" ", subsequent_indent="   ", break_on_hyphens=False
            )


def _cut(line: str, terminal: int | None) -> str:
    return line if terminal is None else shortened(line, terminal)


def _table(table: Table, samples: dict[str, list[str]], *, is_view: bool) -> Iterator[str]:
    rows = "not counted" if table.rows is None else f"{table.rows:,} row{'s' * (table.rows != 1)}"
    kind = "view, " if is_view else ""
    remark = f": {one_line(table.comment)}" if table.comment else ""
    yield f"{one_line(table.name)} ({kind}{rows}){remark}"
    width = max((display_width(one_line(column.name)) for column in table.columns), default=0)
    for column in table.columns:
        keys = "key" if column.primary_key else ""
        for key in table.foreign_keys:
            if column.name in key.columns:
                keys = f"{keys} -> {one_line(key.referred_table)}".strip()
        shown = ", ".join(samples[column.name])
        if column.comment:
            shown = f"{shown} ({one_line(column.comment)})".strip()
        name = padded(one_line(column.name), width)
        yield f"  {name}  {one_line(column.type):<9} {padded(keys, KEYS_WIDTH)} {shown}".rstrip()


def _samples(database: str | Path, table: str, column: str, count: int) -> list[str]:
    """A few different values, shortened."""
    if not count:
        return []
    try:
        found = reader().values(table, column, database=database, rows=SAMPLED_ROWS, most=count)
    except DatabaseError:
        return ["(cannot be read)"]
    return [cell_text(value, VALUE_WIDTH) for value in found]
