from __future__ import annotations

from pathlib import Path

import pytest

from luciola.errors import (
    SqlError,
    SqlForbiddenError,
    SqlInvalidError,
    SqlRowsError,
    SqlTimeoutError,
)
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.schema import Column, ForeignKey, read_schema


@pytest.fixture
def duckdb_url(tmp_path: Path) -> str:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    connection = duckdb.connect(str(tmp_path / "shop.duckdb"))
    connection.execute(
        "CREATE TABLE shop (id INT PRIMARY KEY, opened DATE, rate DECIMAL(4, 2));"
        "CREATE TABLE worker (name TEXT, shop_id INT REFERENCES shop (id));"
        "INSERT INTO shop VALUES (1, '2020-01-31', 2.5)"
    )
    connection.close()
    return f"duckdb:///{tmp_path / 'shop.duckdb'}"


def test_a_duckdb_file_gives_its_schema(duckdb_url: str) -> None:
    schema = read_schema(duckdb_url)
    shop, worker = schema.tables
    assert shop.columns[0] == Column("id", "INTEGER", nullable=False, primary_key=True)
    assert worker.foreign_keys == (ForeignKey(("shop_id",), "shop", ("id",)),)
    assert (shop.rows, worker.rows) == (1, 0)


def test_a_duckdb_file_is_queried_within_limits(duckdb_url: str) -> None:
    with Sandbox(duckdb_url, timeout_s=0.3, max_rows=10) as sandbox:
        assert sandbox.run("SELECT * FROM shop").rows == ((1, "2020-01-31", 2.5),)
        refused: list[tuple[str, type[SqlError]]] = [
            ("SELECT * FROM range(11)", SqlRowsError),
            ("SELECT count(*) FROM range(1000000) a, range(1000000) b", SqlTimeoutError),
            ("SELECT x FROM shop", SqlInvalidError),
            ("SELECT * FROM '/etc/hostname'", SqlForbiddenError),
            ("DROP TABLE worker", SqlForbiddenError),
        ]
        for sql, error in refused:
            with pytest.raises(error):
                sandbox.run(sql)
