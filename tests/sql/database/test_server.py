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
from luciola.sql.database.server import check_reads_only
from luciola.sql.database.session import RefusedError
from luciola.sql.schema import Column, ForeignKey, read_schema


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "duckdb"])
def test_queries_pass(dialect: str) -> None:
    for sql in (
        "SELECT a, count(*) FROM t GROUP BY a ORDER BY 2 DESC LIMIT 3;",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION SELECT b FROM u",
        "(SELECT 1)",
    ):
        check_reads_only(sql, dialect)


@pytest.mark.parametrize(
    ("dialect", "sql", "kind"),
    [
        ("postgresql", "DELETE FROM t", "forbidden"),
        ("postgresql", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "forbidden"),
        ("postgresql", "SELECT * INTO u FROM t", "forbidden"),
        ("postgresql", "SELECT * FROM t FOR UPDATE", "forbidden"),
        ("postgresql", "SELECT pg_read_file('/etc/hostname')", "forbidden"),
        ("postgresql", "SELECT lo_import('/etc/hostname')", "forbidden"),
        ("postgresql", "COPY t TO PROGRAM 'id'", "forbidden"),
        ("postgresql", "SET ROLE admin", "forbidden"),
        ("postgresql", "SELECT 1; DROP TABLE t", "invalid"),
        ("mysql", "SELECT load_file('/etc/hostname')", "forbidden"),
        ("mysql", "SELECT 1 INTO OUTFILE '/tmp/x'", "invalid"),
        ("mysql", "SELECT sleep(99)", "forbidden"),
        ("duckdb", "SELECT * FROM read_csv('/etc/hostname')", "forbidden"),
        ("duckdb", "COPY t TO '/tmp/x.csv'", "forbidden"),
        ("duckdb", "ATTACH '/tmp/x.db'", "forbidden"),
        ("duckdb", "INSTALL httpfs", "forbidden"),
        ("duckdb", "", "invalid"),
        ("duckdb", "SELEC (", "invalid"),
    ],
)
def test_all_else_is_refused_before_it_is_sent(dialect: str, sql: str, kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_reads_only(sql, dialect)
    assert refused.value.kind == kind


@pytest.fixture
def duckdb_url(tmp_path: Path) -> str:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    pytest.importorskip("duckdb_engine", reason="duckdb-engine is not installed")
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
            ("SELECT count(*) FROM range(100000000) a, range(100000000) b", SqlTimeoutError),
            ("SELECT x FROM shop", SqlInvalidError),
            ("SELECT * FROM '/etc/hostname'", SqlInvalidError),
            ("DROP TABLE worker", SqlForbiddenError),
        ]
        for sql, error in refused:
            with pytest.raises(error):
                sandbox.run(sql)
