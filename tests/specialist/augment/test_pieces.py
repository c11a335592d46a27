"""SQL in pieces: what a renamed schema is written with."""

from __future__ import annotations

import pytest

from luciola.specialist.augment.augmenter import plain
from luciola.specialist.augment.example import Blueprint, ColumnRef, Literal, Prepared, TableRef
from luciola.specialist.augment.pieces import UnresolvedSqlError, pieces_of


def written(sql: str, schema: Blueprint) -> str:
    return plain(Prepared(schema, "?", pieces_of(sql, schema))).assistant


def test_names_become_references_and_values_literals(shop: Blueprint) -> None:
    pieces = pieces_of("SELECT city FROM shop WHERE owner = 'Ann'", shop)
    assert pieces == (
        "SELECT ", ColumnRef(0, 1), " FROM ", TableRef(0), " WHERE ", ColumnRef(0, 2), " = ",
        Literal("Ann", True),
    )  # fmt: skip


def test_aliases_give_way_and_a_join_is_written_child_first(shop: Blueprint) -> None:
    sql = "SELECT b.city FROM employee a JOIN shop b ON b.shop_id = a.shop_id WHERE a.age <> 3"
    assert written(sql, shop) == (
        "SELECT shop.city FROM employee JOIN shop ON employee.shop_id = shop.shop_id "
        "WHERE employee.age != 3"
    )


def test_joined_columns_are_called_by_the_parents_name(shop: Blueprint) -> None:
    sql = (
        "SELECT count(*) FROM shop JOIN employee ON employee.shop_id = shop.shop_id "
        "GROUP BY employee.shop_id"
    )
    assert written(sql, shop).endswith("GROUP BY shop.shop_id")


def test_a_left_join_keeps_both_names(shop: Blueprint) -> None:
    """There the child may be NULL where the parent is not."""
    sql = "SELECT employee.shop_id FROM shop LEFT JOIN employee ON employee.shop_id = shop.shop_id"
    assert written(sql, shop).startswith("SELECT employee.shop_id")


def test_a_self_join_keeps_its_aliases(shop: Blueprint) -> None:
    sql = "SELECT T1.age FROM employee AS T1 JOIN employee AS T2 ON T1.wage = T2.age"
    assert written(sql, shop) == (
        "SELECT T1.age FROM employee AS T1 JOIN employee AS T2 ON T1.wage = T2.age"
    )


def test_a_correlated_column_belongs_to_the_outer_query(shop: Blueprint) -> None:
    sql = (
        "SELECT city FROM shop WHERE NOT shop_id IN "
        "(SELECT shop_id FROM employee WHERE wage > owner)"
    )
    assert written(sql, shop) == (
        "SELECT shop.city FROM shop WHERE shop.shop_id NOT IN "
        "( SELECT employee.shop_id FROM employee WHERE employee.wage > shop.owner )"
    )


def test_double_quoted_text_that_is_no_column_is_a_string(shop: Blueprint) -> None:
    assert written('SELECT city FROM shop WHERE owner = "Ann"', shop).endswith("= 'Ann'")


def test_only_a_column_of_an_on_clause_is_structural(joined: Prepared) -> None:
    columns = [piece for piece in joined.pieces if isinstance(piece, ColumnRef)]
    structural = {(one.table, one.column) for one in columns if one.structural}
    assert structural == {(1, 3), (0, 0)}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT city FROM market", "no such table"),
        ("SELECT price FROM shop", "no such column"),
        ("SELECT city FROM", "does not parse"),
        ("SELECT city FROM shop UNION SELECT age FROM employee ORDER BY 1", "ORDER BY"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(sql: str, reason: str, shop: Blueprint) -> None:
    with pytest.raises(UnresolvedSqlError, match=reason):
        pieces_of(sql, shop)
