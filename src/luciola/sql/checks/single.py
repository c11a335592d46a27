"""One database by itself: can it be read, do its keys hold, which tables and columns are empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luciola.errors import DatabaseError, SqlError
from luciola.sql.checks.check import Checked
from luciola.sql.checks.contents import contents_findings, read_contents
from luciola.sql.checks.finding import Finding
from luciola.sql.database.address import display_name
from luciola.sql.identifier import quoted, table_identifier
from luciola.sql.sandbox import Sandbox
from luciola.sql.schema import ForeignKey, Schema, Table, read_schema

QUESTIONS = (".json", ".jsonl", ".csv", ".parquet")


def is_database(text: str) -> bool:
    """Whether a text names one database: a URL, or a file that holds no questions by its name."""
    path = Path(text).expanduser()
    return "://" in text or (path.is_file() and path.suffix not in QUESTIONS)


def check_database(database: str, *, timeout_s: float = 5.0) -> Checked:
    """Check a database without any questions.

    Raises: DatabaseError where it cannot be read.
    """
    name = display_name(database)
    schema = read_schema(database)
    findings: list[Finding] = []
    if schema.dialect == "sqlite":
        findings += contents_findings(read_contents(name, Path(database).expanduser()))
    with Sandbox(database, timeout_s=timeout_s) as sandbox:
        findings += _key_findings(name, schema, sandbox)
        findings += _empty_columns(name, schema, sandbox)
    return Checked(name, {}, 1, tuple(findings))


def _key_findings(name: str, schema: Schema, sandbox: Sandbox) -> Iterator[Finding]:
    """Tables without a primary key, keys to what is not there, and rows that lead nowhere."""
    tables = {table.name.lower(): table for table in schema.tables}
    without = [table.name for table in schema.tables if not table.primary_key]
    if without:
        yield Finding("no primary key", name, ", ".join(without))
    for table in schema.tables:
        for key in table.foreign_keys:
            if key.referred_table.lower() not in tables:
                said = f"{table.name}: its key leads to {key.referred_table}, which is not there"
                yield Finding("dangling keys", name, said)
            elif count := _orphans(table, key, schema.dialect, sandbox):
                said = (
                    f"{table.name}.{', '.join(key.columns)}: {count:,} rows have no partner in "
                    f"{key.referred_table}"
                )
                yield Finding("dangling keys", name, said)


def _orphans(table: Table, key: ForeignKey, dialect: str, sandbox: Sandbox) -> int:
    """Rows whose key is set and leads nowhere; 0 where it takes too long to tell."""
    pairs = list(zip(key.columns, key.referred_columns, strict=False))
    if not pairs:
        return 0
    same = " AND ".join(f"p.{quoted(b, dialect)} = c.{quoted(a, dialect)}" for a, b in pairs)
    given = " AND ".join(f"c.{quoted(a, dialect)} IS NOT NULL" for a, _ in pairs)
    child, parent = (
        table_identifier(name, dialect, always=True) for name in (table.name, key.referred_table)
    )
    return _value(
        sandbox,
        f"SELECT count(*) FROM {child} c WHERE {given} AND NOT EXISTS "
        f"(SELECT 1 FROM {parent} p WHERE {same})",
    )


def _empty_columns(name: str, schema: Schema, sandbox: Sandbox) -> Iterator[Finding]:
    """Columns of tables with rows that hold nothing at all."""
    for table in schema.tables:
        if not table.columns or table.rows == 0:
            continue
        counts = ", ".join(f"count({quoted(c.name, schema.dialect)})" for c in table.columns)
        place = table_identifier(table.name, schema.dialect, always=True)
        query = f"SELECT count(*), {counts} FROM {place}"
        try:
            row = sandbox.run(query).rows[0]
        except (SqlError, DatabaseError):
            continue
        if row[0]:
            empty = [c.name for c, n in zip(table.columns, row[1:], strict=True) if not n]
            if empty:
                yield Finding("empty columns", name, f"{table.name}: {', '.join(empty)}")


def _value(sandbox: Sandbox, query: str) -> int:
    try:
        return int(str(sandbox.run(query).rows[0][0]))
    except (SqlError, DatabaseError):
        return 0
