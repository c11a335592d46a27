"""The demo's SQLite database as a file: a coffee roaster's shops, staff, customers and sales.

Left out, to keep questions and SQL short: a sale is one product (there are no order lines) to a
customer with a loyalty card, and nothing is kept about tax, refunds or stock movements.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from luciola.demo.rows import tables
from luciola.errors import DatabaseError, StorageError
from luciola.sql.database.reading import reader

EDITION = 1
"""Stands in the file's `user_version`; raise it whenever a table or a row changes."""

SCHEMA = """
CREATE TABLE shop (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    opened TEXT NOT NULL,
    seats INTEGER NOT NULL
);
CREATE TABLE employee (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    shop_id INTEGER REFERENCES shop (id),
    role TEXT NOT NULL,
    salary INTEGER NOT NULL,
    hired TEXT NOT NULL
);
CREATE TABLE customer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    email TEXT,
    joined TEXT NOT NULL
);
CREATE TABLE supplier (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    rating INTEGER
);
CREATE TABLE product (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    roast TEXT,
    price REAL NOT NULL,
    stock INTEGER NOT NULL
);
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    supplier_id INTEGER NOT NULL REFERENCES supplier (id),
    product_id INTEGER NOT NULL REFERENCES product (id),
    date TEXT NOT NULL,
    kilos INTEGER NOT NULL,
    cost REAL NOT NULL
);
CREATE TABLE sale (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    product_id INTEGER NOT NULL REFERENCES product (id),
    shop_id INTEGER REFERENCES shop (id),
    date TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    total REAL NOT NULL
);
"""
"""`employee.shop_id` is NULL at the roastery, `sale.shop_id` online, `roast` for all but beans."""


def build(path: Path) -> Path:
    """Write the database to `path`, where it appears whole or not at all; always the same rows.

    Raises: StorageError if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".building-") as folder:
            unfinished = Path(folder, path.name)
            _fill(unfinished)
            unfinished.replace(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise StorageError(
            f"the demo database could not be written to {path}: {error}",
            remedy="free some space or choose another folder",
        ) from error
    return path


def is_current(path: Path) -> bool:
    """Whether `path` holds this edition of the database."""
    if not path.is_file():
        return False
    ask = partial(reader().trusted, database=path)
    try:
        ((edition,),) = ask("PRAGMA user_version")
        tables = {name for (name,) in ask("SELECT name FROM sqlite_master")}
    except DatabaseError:
        return False
    return edition == EDITION and {"delivery", "sale"} <= tables


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        for table, rows in tables().items():
            slots = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({slots})", rows)
        connection.execute(f"PRAGMA user_version = {EDITION}")
