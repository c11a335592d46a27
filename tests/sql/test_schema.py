from __future__ import annotations

import importlib.util
import sqlite3
from pathlib import Path

import pytest

from luciola.errors import DatabaseError, MissingExtraError
from luciola.sql.schema import Column, ForeignKey, Schema, read_schema


def make(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def test_tables_keep_their_order_with_keys_types_and_row_counts(shop_schema: Schema) -> None:
    assert [table.name for table in shop_schema.tables] == ["shop", "employee", "product", "sale"]
    shop, employee, _, sale = shop_schema.tables
    assert shop.columns[:2] == (
        Column("id", "INTEGER", nullable=False, primary_key=True),
        Column("name", "TEXT", nullable=False),
    )
    assert employee.foreign_keys == (
        ForeignKey(("boss_id",), "employee", ("id",)),
        ForeignKey(("shop_id",), "shop", ("id",)),
    )
    assert sale.primary_key == ("shop_id", "code", "day")
    assert [table.rows for table in shop_schema.tables] == [4, 4, 3, 3]


def test_a_foreign_key_without_a_named_column_refers_to_the_primary_key(
    shop_schema: Schema,
) -> None:
    sale = shop_schema.table("SALE")
    assert sale is not None
    assert ForeignKey(("shop_id",), "shop", ("id",)) in sale.foreign_keys


def test_odd_names_and_broken_keys_are_read_as_they_are(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a b#?%é.sqlite",
        """CREATE TABLE "order" ("select" INTEGER PRIMARY KEY, "a ""b" FOO, "%s :x" TEXT);
        CREATE TABLE "x'y[z]" (o REFERENCES "order", m REFERENCES missing);
        CREATE TABLE left_side (id INTEGER PRIMARY KEY, other INT REFERENCES right_side);
        CREATE TABLE right_side (id INTEGER PRIMARY KEY, other INT REFERENCES left_side);
        CREATE VIRTUAL TABLE words USING fts5(body);""",
    )
    schema = read_schema(path)
    assert [table.name for table in schema.tables] == [
        "order", "x'y[z]", "left_side", "right_side", "words",
    ]  # fmt: skip
    order, strange, left, *_ = schema.tables
    assert [(column.name, column.type) for column in order.columns][1:] == [
        ('a "b', "FOO"),
        ("%s :x", "TEXT"),
    ]
    assert strange.foreign_keys[0] == ForeignKey(("m",), "missing", ())
    assert left.foreign_keys == (ForeignKey(("other",), "right_side", ("id",)),)


def test_a_missing_file_is_an_error_and_stays_missing(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"no database file .*nothing\.sqlite"):
        read_schema(tmp_path / "nothing.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("name,age\n")
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (tmp_path / "empty.sqlite").touch()
    for name, reason in {
        "": "is a folder",
        "notes.txt": "is not a SQLite database",
        "broken.sqlite": "file is not a database",
        "empty.sqlite": "has no tables",
    }.items():
        with pytest.raises(DatabaseError, match=reason) as caught:
            read_schema(tmp_path / name)
        assert "\n" not in caught.value.message


def test_urls_of_other_systems_ask_for_their_extra_and_hide_the_password() -> None:
    with pytest.raises(DatabaseError, match="kind 'oracle'") as caught:
        read_schema("oracle://me:secret@host/name")
    assert "secret" not in str(caught.value)


def test_a_missing_driver_names_its_extra(tmp_path: Path) -> None:
    make(tmp_path / "x.duckdb", "CREATE TABLE t (a)")
    for url, package, extra in (
        ("postgresql://me@host/x", "psycopg", "postgresql"),
        ("mysql://me@host/x", "pymysql", "mysql"),
        (f"duckdb:///{tmp_path}/x.duckdb", "duckdb", "duckdb"),
    ):
        if importlib.util.find_spec(package) is None:
            with pytest.raises(MissingExtraError, match=package) as missing:
                read_schema(url)
            assert f"luciola[{extra}]" in str(missing.value)


def test_a_sqlite_url_is_the_same_as_its_path(shop: Path, shop_schema: Schema) -> None:
    assert read_schema(f"sqlite:///{shop}") == shop_schema


def test_reading_a_database_in_wal_mode_leaves_no_files_behind(tmp_path: Path) -> None:
    path = make(tmp_path / "wal.sqlite", "PRAGMA journal_mode=WAL; CREATE TABLE t (a)")
    assert read_schema(path).tables[0].name == "t"
    assert [file.name for file in tmp_path.iterdir()] == ["wal.sqlite"]


def test_rows_that_still_stand_in_the_write_ahead_log_are_counted(tmp_path: Path) -> None:
    path = make(tmp_path / "wal.sqlite", "PRAGMA journal_mode=WAL; CREATE TABLE t (a)")
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    assert read_schema(path).tables[0].rows == 1
    writer.close()
