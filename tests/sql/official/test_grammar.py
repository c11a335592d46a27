"""What the official grammar takes, refuses, and loses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from luciola.sql.official.grammar import parse
from luciola.sql.official.lenient import tokenize_leniently
from luciola.sql.official.problem import Problem
from luciola.sql.official.query import Query
from luciola.sql.official.schema import Schema
from luciola.sql.official.tokens import tokenize

Parse = Callable[[str], Query]


def test_a_literal_is_one_token_with_its_case_and_the_rest_is_lower_case() -> None:
    assert tokenize("SELECT A FROM b WHERE c = 'It Is'") == [
        *("select", "a", "from", "b", "where", "c", "=", '"It Is"'),
    ]


def test_operators_are_cut_only_where_the_treebank_cuts() -> None:
    assert tokenize("a=1 b>2 c>=3 d > = 4 e,f 1,2") == [
        *("a=1", "b", ">", "2", "c", ">", "=3", "d", ">=", "4", "e", ",", "f", "1,2"),
    ]


def test_words_that_english_contracts_are_cut() -> None:
    assert tokenize("SELECT cannot, gonna") == ["select", "can", "not", ",", "gon", "na"]


def test_a_quote_that_is_not_closed_is_refused() -> None:
    with pytest.raises(Problem, match="not closed"):
        tokenize('SELECT "it\'s"')


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("", "IndexError"),
        ("SELECT", "AssertionError"),
        ("SELECT name FROM nosuch", "KeyError"),
        ("SELECT height FROM keeper", "AssertionError"),
        ("SELECT a.b.c FROM keeper", "ValueError"),
        ("SELECT name FROM keeper LEFT JOIN animal", "KeyError"),
        ("SELECT name FROM keeper WHERE age IS NULL", "AssertionError"),
        ("SELECT name FROM keeper WHERE age=1", "AssertionError"),
        ("SELECT name FROM keeper WHERE age <> 1", "AssertionError"),
        ("SELECT T1.* FROM keeper AS T1", "KeyError"),
        ("SELECT name FROM keeper AS animal", "AssertionError"),
        ("SELECT name FROM keeper WHERE age > (SELECT max(age) FROM keeper", "IndexError"),
        ("SELECT name FROM keeper AS", "IndexError"),
        ("SELECT name FROM keeper LIMIT", "IndexError"),
    ],
)
def test_what_is_outside_the_grammar_is_refused_as_the_original_refuses_it(
    parsed: Parse, sql: str, kind: str
) -> None:
    with pytest.raises(Problem) as problem:
        parsed(sql)
    assert problem.value.kind == kind


def test_a_set_operator_takes_everything_to_its_right(parsed: Parse) -> None:
    query = parsed(
        "SELECT name FROM keeper UNION SELECT name FROM animal EXCEPT SELECT name FROM keeper"
    )
    assert query.except_ is None
    assert query.union is not None
    assert query.union.except_ is not None


def test_what_follows_the_query_is_not_looked_at(parsed: Parse) -> None:
    assert parsed("SELECT name FROM keeper ; drop it") == parsed("SELECT name FROM keeper")


def test_the_direction_named_last_is_that_of_all_columns(parsed: Parse) -> None:
    query = parsed("SELECT name FROM keeper ORDER BY age DESC, name ASC")
    assert query.order_by is not None
    assert query.order_by[0] == "asc"


def test_deep_nesting_is_refused_and_not_a_crash(parsed: Parse) -> None:
    sql = "SELECT name FROM keeper WHERE id IN ( " * 1200
    with pytest.raises(Problem, match="deep"):
        parsed(sql)


def test_an_or_behind_a_comparison_of_two_columns_is_lost(parsed: Parse) -> None:
    query = parsed("SELECT name FROM keeper WHERE id > age OR age > 3")
    assert len(query.where) == 1
    assert len(parsed("SELECT name FROM keeper WHERE id > age AND age > 3").where) == 3


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT name FROM keeper WHERE NOT name LIKE 'A%'", "AssertionError"),
        ("SELECT name FROM keeper AS KEEPER", "AssertionError"),
        ("SELECT KEEPER.name FROM keeper AS KEEPER", "AssertionError"),
    ],
)
def test_not_before_a_column_and_an_alias_like_its_table_are_refused(
    parsed: Parse, schema: Schema, sql: str, kind: str
) -> None:
    """The official parser reads `not` as a column, and lower-cases the alias into the table's name;
    it stops at both. The default mode does not rewrite them either, so both are wrong by em."""
    with pytest.raises(Problem) as problem:
        parsed(sql)
    assert problem.value.kind == kind
    with pytest.raises(Problem):
        parse(tokenize_leniently(sql, schema), schema)


def test_not_behind_the_column_and_another_alias_are_read(parsed: Parse) -> None:
    (condition,) = parsed("SELECT name FROM keeper WHERE name NOT LIKE 'A%'").where
    assert condition.negated and condition.operator == "like"
    assert parsed("SELECT T.name FROM keeper AS T") == parsed("SELECT name FROM keeper")
