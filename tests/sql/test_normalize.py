from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.sql.database.sandbox import Result, Sandbox
from luciola.sql.normalize import normalize
from luciola.sql.schema import Column, Schema, Table, read_schema


@pytest.mark.parametrize(
    ("sql", "normal"),
    [
        (
            "select T1.Name ,  T2.City from Employee as T1 join shop T2"
            ' on T2.ID=T1.shop_id where T2.city="Lyon" ;',
            "SELECT employee.name, shop.city FROM employee JOIN shop"
            " ON employee.shop_id = shop.id WHERE shop.city = 'Lyon'",
        ),
        (
            "SELECT name, city FROM employee JOIN shop ON shop_id = shop.id",
            "SELECT name, shop.city FROM employee JOIN shop ON employee.shop_id = shop.id",
        ),
        (
            "SELECT a.name FROM employee a INNER JOIN employee b ON b.id = a.boss_id",
            "SELECT T1.name FROM employee AS T1 JOIN employee AS T2 ON T1.boss_id = T2.id",
        ),
        (
            'SELECT "name", s.`city` FROM shop AS s WHERE [id] > 1 ORDER BY s.name ASC',
            "SELECT name, city FROM shop WHERE id > 1 ORDER BY name",
        ),
        (
            "SELECT x.name FROM shop x WHERE EXISTS"
            " (SELECT 1 FROM employee AS y WHERE y.shop_id = x.id AND y.age <> 29)",
            "SELECT name FROM shop WHERE EXISTS(SELECT 1 FROM employee"
            " WHERE shop_id = shop.id AND age != 29)",
        ),
        (
            "SELECT name FROM employee e WHERE age = (SELECT max(f.age) FROM employee f"
            " WHERE f.shop_id = e.shop_id)",
            "SELECT name FROM employee AS T1 WHERE age = (SELECT MAX(age) FROM employee"
            " WHERE shop_id = T1.shop_id)",
        ),
        (
            "SELECT s.city, count(*) AS n FROM shop s GROUP BY s.city HAVING n > 1 ORDER BY n DESC",
            "SELECT city, COUNT(*) AS n FROM shop GROUP BY city HAVING n > 1 ORDER BY n DESC",
        ),
        (
            "SELECT age AS name FROM employee e ORDER BY e.name",
            "SELECT age AS name FROM employee ORDER BY employee.name",
        ),
        (
            "SELECT d.n FROM (SELECT count(*) AS n, city FROM shop GROUP BY city) AS d",
            "SELECT n FROM (SELECT COUNT(*) AS n, city FROM shop GROUP BY city) AS d",
        ),
        (
            "WITH old AS (SELECT * FROM employee e WHERE e.age > 30) SELECT o.NAME FROM old o",
            "WITH old AS (SELECT * FROM employee WHERE age > 30) SELECT NAME FROM old",
        ),
        (
            "SELECT T1.name FROM shop AS T1 UNION SELECT T2.name FROM employee AS T2"
            " ORDER BY T1.name",
            "SELECT name FROM shop UNION SELECT name FROM employee ORDER BY name",
        ),
        (
            "SELECT name FROM employee WHERE NOT shop_id IS NULL AND id NOT IN (1)"
            " AND NOT name LIKE '%x' AND age NOT BETWEEN 1 AND 2",
            "SELECT name FROM employee WHERE shop_id IS NOT NULL AND id NOT IN (1)"
            " AND NOT name LIKE '%x' AND age NOT BETWEEN 1 AND 2",
        ),
        (
            "SELECT T1.* FROM shop AS T1 LEFT OUTER JOIN employee e ON e.shop_id = T1.id",
            "SELECT shop.* FROM shop LEFT JOIN employee ON shop.id = employee.shop_id",
        ),
        ("SELECT T1.* FROM shop AS T1", "SELECT * FROM shop"),
    ],
)
def test_one_style(sql: str, normal: str, shop: Path, shop_schema: Schema) -> None:
    found = normalize(sql, shop_schema)
    assert found == normal
    assert normalize(found, shop_schema) == found
    with Sandbox(shop) as sandbox:
        before, after = sandbox.run_many([sql, found])
    if isinstance(before, Result):
        assert isinstance(after, Result) and after.rows == before.rows


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELEC x",
        "SELECT (",
        "SELECT 1; SELECT 2",
        "DROP TABLE shop",
        "no sql at all",
        "(" * 9999,
    ],
)
def test_what_is_not_one_query_comes_back_unchanged(sql: str, shop_schema: Schema) -> None:
    assert normalize(sql, shop_schema) == sql


def test_names_that_need_quotes_keep_them() -> None:
    schema = Schema("sqlite", (Table("order", (Column("unit price"), Column("from"))),))
    assert (
        normalize('SELECT o."UNIT PRICE", o.[from] FROM `Order` o WHERE "from" = "unit"', schema)
        == 'SELECT "unit price", "from" FROM "order" WHERE "from" = \'unit\''
    )


def test_a_name_in_double_quotes_stays_a_name_outside_sqlite() -> None:
    schema = Schema("postgresql", (Table("shop", (Column("City"),)),))
    assert normalize('SELECT s."City" FROM shop s WHERE "x" = \'a\'', schema) == (
        'SELECT "City" FROM shop WHERE "x" = \'a\''
    )


def test_spiders_validation_queries_give_the_same_rows_afterwards(spider: Path) -> None:
    schemas: dict[str, Schema] = {}
    queries, databases = [], []
    for line in (spider / "validation.jsonl").read_text().splitlines()[::5]:
        row = json.loads(line)
        path = spider / "database" / row["db_id"] / f"{row['db_id']}.sqlite"
        schema = schemas.setdefault(row["db_id"], read_schema(path))
        queries += [row["query"], normalize(row["query"], schema)]
        databases += [path, path]
    with Sandbox() as sandbox:
        results = sandbox.run_many(queries, databases=databases)
    rows = [result.rows if isinstance(result, Result) else None for result in results]
    assert None not in rows
    assert rows[::2] == rows[1::2]
