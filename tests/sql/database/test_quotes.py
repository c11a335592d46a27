"""A "name" that is no column is refused where that is asked for; SQLite reads it as a text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from luciola.errors import SqlInvalidError
from luciola.sql.database.sandbox import Sandbox


@pytest.fixture(scope="module")
def strict(shop: Path) -> Iterator[Sandbox]:
    with Sandbox(shop, strict_quotes=True) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ('SELECT name FROM shop WHERE "order" IS NULL', '"order" is no column of shop;'),
        ('SELECT "Nmae" FROM shop', '"Nmae" is no column of shop;'),
        ('SELECT name FROM shop WHERE city = "Lyon"', "written with single quotes"),
        ('SELECT count(*) FROM shop WHERE city IN ("Lyon", "Nice")', '"Lyon" is no column'),
        ('SELECT name FROM shop ORDER BY "a ""b"""', '"a "b"" is no column'),
    ],
)
def test_a_misspelt_name_is_refused_and_is_a_text_otherwise(
    strict: Sandbox, shop: Path, sql: str, said: str
) -> None:
    with pytest.raises(SqlInvalidError) as refused:
        strict.run(sql)
    assert said in refused.value.message and "\n" not in refused.value.message
    with Sandbox(shop) as lenient:
        lenient.run(sql)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "name" FROM "shop" WHERE "shop"."city" = \'Lyon\'',
        'SELECT name AS "The name" FROM shop AS "s" ORDER BY "The name"',
        'WITH "c" ("x y") AS (SELECT 1) SELECT "x y" FROM "c"',
        'SELECT name FROM shop WHERE city = \'say "hi"\' -- "nothing"',
        'SELECT max("id") FROM shop',
    ],
)
def test_what_is_a_name_runs_as_before(strict: Sandbox, shop: Path, sql: str) -> None:
    with Sandbox(shop) as lenient:
        assert strict.run(sql).rows == lenient.run(sql).rows
        assert strict.run(sql).columns == lenient.run(sql).columns


def test_other_errors_are_sqlites_own(strict: Sandbox) -> None:
    for sql, said in (
        ('SELECT "name" FROM nowhere', "no such table: nowhere"),
        ('SELECT nought, "name" FROM shop', "no such column: nought"),
        ('SELECT "name', "unrecognized token|incomplete"),
    ):
        with pytest.raises(SqlInvalidError, match=said):
            strict.run(sql)
