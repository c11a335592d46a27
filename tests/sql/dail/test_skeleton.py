"""Skeletons equal the recorded ones; each rule is seen once by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from luciola.sql.dail.skeleton import Names, aliases, jaccard, normalize, skeleton
from luciola.sql.dail.tokens import tokens

SHOP = Names(("Shop", "Sale"), ("*", "id", "City", "shop_id", "Amount"))


def test_recorded_skeletons_and_their_likeness(golden: Callable[[str], Any]) -> None:
    schemas = {
        entry["db_id"]: Names(
            tuple(entry["table_names_original"]),
            tuple(name for _, name in entry["column_names_original"]),
        )
        for entry in golden("tables_3dbs")
    }
    records = golden("skeletons")
    assert len(records) >= 25
    for record in records:
        names = schemas[record["db_id"]]
        for part in (record["gold"], record["prediction"]):
            assert normalize(part["sql"]) == part["normalized"]
            assert skeleton(part["sql"], names) == part["skeleton"]
        found = jaccard(record["gold"]["skeleton"], record["prediction"]["skeleton"])
        assert found == pytest.approx(record["prediction"]["jaccard_vs_gold"], abs=1e-9)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT city FROM shop;", "select _ from _"),
        ("SELECT city, id, amount FROM shop, sale", "select _ from _"),
        ("SELECT s.city FROM Shop s JOIN sale x ON s.id = x.shop_id", "select _ from _ "),
        ("SELECT city FROM shop WHERE id >= -2 AND city != 'a b'", "select _ from _ where _"),
        ("SELECT city FROM shop ORDER BY sum(id) DESC", "select _ from _ order by _ ( _ ) desc"),
        ("SELECT sum(1.5) FROM sale", "select sum ( _ ) from _"),
        ("SELECT city FROM shop LEFT JOIN sale", "select _ from _ left join _"),
        ("SELECT price FROM shop", "select price from _"),
    ],
)
def test_names_and_values_become_blanks(sql: str, expected: str) -> None:
    assert skeleton(sql, SHOP) == expected


CITY = "SELECT city FROM shop WHERE city = {}"
IS_CITY = "select _ from _ where _"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (CITY.format("'New York'"), IS_CITY),
        (CITY.format('"New York"'), IS_CITY),
        (CITY.format("'it''s here'"), "select _ from _ where _ _"),
        (CITY.format("'a''b''c'"), "select _ from _ where _ _ _"),
        (CITY.format('"Women\'s"'), "select _ from _ where _ s _"),
        (CITY.format("''"), IS_CITY),
        (CITY.format("'FROM shop AS T1'"), IS_CITY),
        (CITY.format("-5"), IS_CITY),
        (CITY.format("- 5"), "select _ from _ where _ = - _"),
        (CITY.format("-2.50"), IS_CITY),
        (CITY.format("1."), "select _ from _ where _ = 1."),
        (CITY.format(".5"), "select _ from _ where _ = .5"),
        (CITY.format("1e5"), "select _ from _ where _ = 1e5"),
        (CITY.format("`City`"), IS_CITY),
        (CITY.format("[City]"), "select _ from _ where _ = [city]"),
        (CITY.format("NULL"), "select _ from _ where _ = null"),
        (CITY.format("'a' || 'b c'"), "select _ from _ where _ || _"),
        ("SELECT `city` FROM `shop` WHERE `shop`.`city` = 'a'", IS_CITY),
        ("SELECT city AS 'City Name' FROM shop", "select _ from _"),
        ("SELECT city AS \"City Name\", id AS n FROM shop", "select _ from _"),
        ("SELECT count(*) AS 'How Many', city FROM shop", "select count ( _ ) , _ from _"),
        ("SELECT city FROM shop WHERE city LIKE '%a b%'", "select _ from _ where _ like _"),
        ("SELECT city FROM shop WHERE city NOT LIKE '_b'", "select _ from _ where _ not like _"),
        ("SELECT city FROM shop WHERE id IN (1, 2, -3)", "select _ from _ where _ in ( _ )"),
        ("SELECT city FROM shop WHERE city IN ('a b', 'c')", "select _ from _ where _ in ( _ )"),
        ("SELECT city FROM shop WHERE id BETWEEN 1 AND 2.5",
         "select _ from _ where _ between _ and _"),
        ("SELECT city FROM shop WHERE id <> 3", "select _ from _ where _ <> _"),
        ("SELECT city FROM shop WHERE city IS NOT NULL", "select _ from _ where _ is not null"),
        ("SELECT max(id) - min(id) FROM shop", "select max ( _ ) - min ( _ ) from _"),
        ("SELECT T1.city FROM 'shop' AS T1", "select t1.city from _"),
        ("SELECT T1.city FROM shop AS T1 WHERE T1.city = 'T1.id'", IS_CITY),
        ("SELECT city FROM shop ORDER BY id, id", "select _ from _ order by _ asc , _"),
        ("SELECT city FROM shop ORDER BY id UNION SELECT city FROM shop ORDER BY id",
         "select _ from _ order by _ asc asc union select _ from _ order by _ asc asc"),
        ("SELECT city FROM shop /* a B */ WHERE id = 1",
         "select _ from _ /* a b */ where _"),
    ],
)  # fmt: skip
def test_strings_numbers_and_names_as_the_original_reads_them(sql: str, expected: str) -> None:
    """Compared with the original, run on these queries."""
    assert skeleton(sql, SHOP) == expected


@pytest.mark.parametrize("word", ["AND", "OR"])
def test_a_join_on_two_conditions_leaves_no_trace(word: str) -> None:
    sql = (
        f"SELECT T1.city FROM shop AS T1 JOIN sale AS T2 ON T1.id = T2.shop_id {word} T1.id = T2.id"
    )
    assert skeleton(f"{sql} WHERE T2.amount > 3", SHOP) == "select _ from _ where _"


def test_ten_short_aliases_count_even_where_no_column_has_them() -> None:
    assert aliases("select a from b as t10") == {"t10": "b"}
    assert aliases("select a from b as t11") == {}


def test_ascending_order_is_written_out_unless_some_order_is_named() -> None:
    assert normalize("SELECT a FROM b ORDER BY c") == "select a from b order by c asc"
    assert normalize("SELECT a FROM b ORDER BY max(c)") == "select a from b order by max ( c ) asc"
    assert normalize("SELECT descr FROM b ORDER BY c") == "select descr from b order by c"


def test_strings_keep_their_case_and_an_alias_means_what_it_meant_last() -> None:
    assert normalize('SELECT A FROM B WHERE C = "Xy"') == "select a from b where c = 'Xy'"
    twice = "SELECT T1.a FROM b AS T1 UNION SELECT T1.a FROM c AS T1"
    assert normalize(twice) == "select c.a from b union select c.a from c"


def test_only_short_and_used_aliases_count() -> None:
    assert aliases("select a from b as k") == {}
    assert aliases("select a from b as t1") == {"t1": "b"}
    assert aliases("select k.a from b as k , c as long") == {"k": "b"}
    assert aliases("select k.a from b k join c on c.x = k.x where k.y = 1") == {"k": "b"}


def test_strings_and_the_names_of_with_have_no_aliases() -> None:
    assert aliases("select t1.a from 'b' as t1") == {}
    assert aliases("with k as ( select a from b ) select t1.a from k as t1") == {}
    assert aliases("select t1.a from ( select a from b ) as t1 join c as t2") == {"t2": "c"}


def test_dots_join_and_the_first_statement_ends_at_its_semicolon() -> None:
    assert tokens("SELECT `a b`.c , t . d FROM x; SELECT 2") == [
        "SELECT", "a b.c", ",", "t.d", "FROM", "x", ";",
    ]  # fmt: skip
    assert tokens("a GROUP  BY b -- why") == ["a", "GROUP  BY", "b", "-- why"]


def test_likeness_counts_each_token_as_often_as_it_stands() -> None:
    """`_` twice in both, `a` once, of 3 and 4 tokens: 3 / (3 + 4 - 3)."""
    assert jaccard("_ a _", "_ _ a b") == 3 / 4
    assert jaccard("", "") == 1.0


def test_two_blanks_enclose_an_empty_word_as_in_the_original() -> None:
    """`_`, ``, `=` against `_`, `=`: 2 shared of 3 and 2, so 2 / 3."""
    assert jaccard("_  =", "_ =") == 2 / 3
    assert jaccard(" _ = ", "_ =") == 1.0
