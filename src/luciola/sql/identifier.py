"""How a table's or column's name is written in SQL: bare where the dialect allows it, else quoted.

Prompts and normalised SQL write names alike, so that a model can copy what it reads.
"""

from __future__ import annotations

import re

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOWER = re.compile(r"[a-z_][a-z0-9_]*")

# What SQLite 3.40 refuses as a bare column or table name (each of its keywords was tried), and the
# words of joins, which it accepts and which parsers of other makers do not.
SQLITE_WORDS = """
    add all alter and as autoincrement between case cast check collate commit constraint create
    cross current_date current_time current_timestamp default deferrable delete distinct drop else
    escape except exists foreign from full group having in index inner insert intersect into is
    isnull join left limit natural not nothing notnull null on or order outer primary raise
    references returning right select set table then to transaction union unique update using
    values when where"""
SERVER_WORDS = """
    analyze any array asc asymmetric both column desc describe do end false fetch for grant
    groups key keys lateral leading localtime localtimestamp offset only over partition placing
    range rank row rows session_user some symmetric system trailing true user variadic window
    with"""
SQLITE_RESERVED = frozenset(SQLITE_WORDS.split())
SERVER_RESERVED = SQLITE_RESERVED | frozenset(SERVER_WORDS.split())


def identifier(name: str, dialect: str = "sqlite") -> str:
    """`name` as it stands in SQL, quoted only if it must be: `city`, `"order"`, `"unit price"`.

    PostgreSQL folds bare names to lower case, so that names with capitals are quoted there.
    """
    reserved = SQLITE_RESERVED if dialect == "sqlite" else SERVER_RESERVED
    plain = LOWER if dialect == "postgresql" else PLAIN
    if plain.fullmatch(name) and name.lower() not in reserved:
        return name
    return quoted(name, dialect)


def table_identifier(name: str, dialect: str = "sqlite", *, always: bool = False) -> str:
    """A table's name as it stands in SQL; on a server `schema.table` is two names.

    Args:
        always: whether names are quoted that need not be.
    """
    written = quoted if always else identifier
    parts = [name] if dialect in ("sqlite", "mysql", "mariadb") else name.split(".", 1)
    return ".".join(written(part, dialect) for part in parts)


def quoted(name: str, dialect: str = "sqlite") -> str:
    """`name` as a quoted identifier."""
    mark = "`" if dialect in ("mysql", "mariadb") else '"'
    return mark + name.replace(mark, mark * 2) + mark


def literal(text: str) -> str:
    """`text` as a string literal."""
    return "'" + text.replace("'", "''") + "'"
