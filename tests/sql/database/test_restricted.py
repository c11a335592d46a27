"""Where only some columns of a server may be read: other schemas, `*`, and what the error says."""

from __future__ import annotations

import pytest

from database_servers import Server
from luciola.errors import SqlError, SqlForbiddenError
from luciola.sql.database.allowed import Allowed
from luciola.sql.database.sandbox import Sandbox

SYSTEMS = ["postgresql", "mariadb", "duckdb"]
SHOPS = Allowed.of(columns=["shop.id", "shop.name"])


def test_a_column_stands_behind_the_last_dot_or_in_quotes() -> None:
    for written, table, column in (
        ("sales.orders.id", "sales.orders", "id"),
        ("shop.ID", "shop", "id"),
        ('shop."net.price"', "shop", "net.price"),
        ('sales.orders."say ""x"""', "sales.orders", 'say "x"'),
    ):
        assert Allowed.of(columns=[written]) == Allowed({table: frozenset((column,))})


@pytest.mark.parametrize("database_url", ["postgresql admin", "duckdb"], indirect=True)
def test_columns_of_another_schema_can_be_allowed(database_url: str) -> None:
    allowed = Allowed.of(columns=["sales.orders.id", "sales.orders.shop_id", "shop.id"])
    with Sandbox(database_url, allowed=allowed) as sandbox:
        tables = {table.name: table for table in sandbox.schema().tables}
        assert [column.name for column in tables["sales.orders"].columns] == ["id", "shop_id"]
        joined = "SELECT o.id FROM sales.orders o JOIN shop ON shop.id = o.shop_id"
        assert sandbox.run(joined).rows == ((1,),)
        with pytest.raises(SqlForbiddenError) as caught:
            sandbox.run("SELECT total FROM sales.orders")
    assert "sales.orders (id, shop_id)" in str(caught.value.remedy)


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_a_star_is_narrowed_or_the_error_says_which_columns_may_be_read(database_url: str) -> None:
    with Sandbox(database_url, allowed=SHOPS) as sandbox:
        for sql in ("SELECT * FROM shop ORDER BY id", "SELECT shop.* FROM shop ORDER BY id"):
            try:
                found = sandbox.run(sql)
            except SqlForbiddenError as error:
                assert error.remedy == "It may read shop (id, name)."
                assert database_url.startswith("postgresql")
            else:
                assert found.columns == ("id", "name")
                assert found.rows[0] == (1, "Lux")


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_an_error_tells_not_whether_a_hidden_name_is_there(database_url: str) -> None:
    with Sandbox(database_url, allowed=SHOPS) as sandbox:
        for there, not_there in (
            ("SELECT city FROM shop", "SELECT cety FROM shop"),
            ("SELECT s.city FROM shop s", "SELECT s.cety FROM shop s"),
            ("SELECT id FROM secret", "SELECT id FROM sacret"),
            ("SELECT id FROM sales.orders", "SELECT id FROM sales.arders"),
        ):
            if "sales" in there and database_url.startswith("mariadb"):
                continue
            said = []
            for sql in (there, not_there):
                with pytest.raises(SqlForbiddenError) as caught:
                    sandbox.run(sql)
                said.append(str(caught.value))
            assert said[0] == said[1], there
            assert "shop (id, name)" in said[0]


CTES = {
    "WITH shop AS (SELECT * FROM shop WHERE id < 3) SELECT * FROM shop ORDER BY id": [1, 2],
    "WITH Shop AS (SELECT shop.id FROM `shop` WHERE shop.id > 1) SELECT * FROM shop": [2, 3],
    "WITH shop (id) AS (SELECT 7) SELECT * FROM shop": [7],
    "WITH a AS (SELECT id FROM shop), shop AS (SELECT id FROM a WHERE id = 2) "
    "SELECT shop.id FROM shop JOIN a ON a.id = shop.id": [2],
    "WITH shop AS (SELECT id FROM shopdb.shop WHERE id = 1), b AS (SELECT id FROM shop) "
    "SELECT * FROM b": [1],
    "WITH RECURSIVE shop AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM shop WHERE id < 3) "
    "SELECT id FROM shop": [1, 2, 3],
    "WITH a AS (SELECT 1) SELECT id FROM shop ORDER BY id": [1, 2, 3],
}


def test_a_common_table_expression_may_have_a_restricted_tables_name(
    mariadb_server: Server,
) -> None:
    with Sandbox(mariadb_server.url("shopdb", "root"), allowed=SHOPS) as sandbox:
        for sql, expected in CTES.items():
            assert [row[0] for row in sandbox.run(sql).rows] == expected, sql
        for hidden in (
            "WITH shop AS (SELECT city FROM shop) SELECT * FROM shop",
            "WITH shop AS (SELECT * FROM secret) SELECT * FROM shop",
            "WITH shop AS (SELECT 1), secret AS (SELECT * FROM secret) SELECT * FROM secret",
            "WITH RECURSIVE shop AS (SELECT city FROM shopdb.shop) SELECT * FROM shop",
            "WITH RECURSIVE secret AS (SELECT * FROM secret) SELECT * FROM secret",
        ):
            with pytest.raises(SqlError):
                sandbox.run(hidden)
