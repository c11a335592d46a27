"""The demo's database: its shape, its believability, and how it is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.demo import check_demo_folder, database_path
from luciola.demo.database import build, is_current
from luciola.errors import ConfigError, StorageError


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def table_names(demo: sqlite3.Connection) -> list[str]:
    return [name for (name,) in demo.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def number(demo: sqlite3.Connection, query: str) -> int:
    value: int = demo.execute(query).fetchone()[0]
    return value


def test_two_builds_hold_the_same_rows(demo_file: Path, tmp_path: Path) -> None:
    assert dump(build(tmp_path / "again.db")) == dump(demo_file)


def test_it_has_the_size_of_a_small_business(demo: sqlite3.Connection) -> None:
    tables = table_names(demo)
    columns = [row for table in tables for row in demo.execute(f"PRAGMA table_info({table})")]
    rows = sum(number(demo, f"SELECT COUNT(*) FROM {table}") for table in tables)
    assert len(tables) == 7
    assert 32 <= len(columns) <= 40
    assert 2_000 <= rows <= 6_000


def test_foreign_keys_are_declared_and_hold(demo: sqlite3.Connection) -> None:
    keys = {
        (table, row[3], row[2])
        for table in table_names(demo)
        for row in demo.execute(f"PRAGMA foreign_key_list({table})")
    }
    assert keys == {
        ("employee", "shop_id", "shop"),
        ("delivery", "supplier_id", "supplier"),
        ("delivery", "product_id", "product"),
        ("sale", "customer_id", "customer"),
        ("sale", "product_id", "product"),
        ("sale", "shop_id", "shop"),
    }
    assert demo.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("table", ["shop", "employee", "customer", "supplier", "product"])
def test_names_are_unique_so_that_a_name_is_an_answer(demo: sqlite3.Connection, table: str) -> None:
    assert number(demo, f"SELECT COUNT(*) - COUNT(DISTINCT name) FROM {table}") == 0


@pytest.mark.parametrize(
    ("table", "column"),
    [("employee", "shop_id"), ("customer", "email"), ("supplier", "rating"), ("sale", "shop_id")],
)
def test_some_values_are_missing(demo: sqlite3.Connection, table: str, column: str) -> None:
    missing = number(demo, f"SELECT COUNT(*) FROM {table} WHERE {column} IS NULL")
    assert 0 < missing < number(demo, f"SELECT COUNT(*) FROM {table}") / 2


def test_only_beans_have_a_roast(demo: sqlite3.Connection) -> None:
    query = "SELECT COUNT(*) FROM product WHERE (category = 'beans') != (roast IS NOT NULL)"
    assert number(demo, query) == 0


@pytest.mark.parametrize(
    "impossible",
    [
        "SELECT COUNT(*) FROM sale JOIN customer ON customer_id = customer.id WHERE date < joined",
        "SELECT COUNT(*) FROM sale JOIN shop ON shop_id = shop.id WHERE date < opened",
        "SELECT COUNT(*) FROM employee JOIN shop ON shop_id = shop.id WHERE hired < opened",
        "SELECT COUNT(*) FROM sale JOIN product ON product_id = product.id "
        "WHERE total > price * quantity OR total < 0.85 * price * quantity",
    ],
    ids=["sold before joined", "sold before opened", "hired before opened", "wrong total"],
)
def test_nothing_impossible_happened(demo: sqlite3.Connection, impossible: str) -> None:
    assert number(demo, impossible) == 0


def test_sums_of_money_are_exact(demo: sqlite3.Connection) -> None:
    """Every amount is a multiple of 0.25, so no order of adding up changes a sum."""
    totals = [total for (total,) in demo.execute("SELECT total FROM sale")]
    assert all(total * 4 == round(total * 4) for total in totals)
    assert sum(totals) == sum(reversed(totals)) == sum(sorted(totals))


def test_december_sells_at_least_twice_as_much_as_august(demo: sqlite3.Connection) -> None:
    for year in (2023, 2024, 2025):
        sold = "SELECT SUM(total) FROM sale WHERE date LIKE"
        december = number(demo, f"{sold} '{year}-12%'")
        assert december > 2 * number(demo, f"{sold} '{year}-08%'")


def test_a_current_file_is_kept_and_an_older_one_replaced(tmp_path: Path) -> None:
    path = database_path(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM delivery")
    assert dump(database_path(tmp_path)) == dump(path)  # kept: the file says it is this edition
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")
    database_path(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert number(connection, "SELECT COUNT(*) FROM delivery") > 0


def test_a_file_that_is_no_database_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "coffee.db").write_text(
        "not a database, but long enough to be mistaken for one " * 9
    )
    assert not is_current(tmp_path / "coffee.db")
    assert is_current(database_path(tmp_path))


def test_nothing_but_the_database_is_left_behind(tmp_path: Path) -> None:
    database_path(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["coffee.db"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"could not be written to .*file/coffee\.db"):
        build(tmp_path / "file" / "coffee.db")


def test_the_demo_writes_into_new_folders_and_its_own(tmp_path: Path) -> None:
    check_demo_folder(tmp_path / "new")
    database_path(tmp_path / "new")
    check_demo_folder(tmp_path / "new")
    (tmp_path / "before.jsonl").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no demo"):
        check_demo_folder(tmp_path)
