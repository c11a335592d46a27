"""Exact set match and hardness: each rule on a pair of queries, and the recorded verdicts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from luciola.sql.comparison import same_result
from luciola.sql.official.grammar import parse
from luciola.sql.official.hardness import hardness
from luciola.sql.official.match import exact_match, partial_scores
from luciola.sql.official.normal import normal
from luciola.sql.official.problem import Problem
from luciola.sql.official.query import EMPTY, Query
from luciola.sql.official.schema import Schema, equal_columns, from_entry, read_tables
from luciola.sql.official.tokens import tokenize
from reference_values import Source, sources

Parse = Callable[[str], Query]
JOIN = "FROM keeper AS T1 JOIN animal AS T2 ON T1.id = T2.keeper_id"
ALIKE = [
    ("SELECT name, age FROM keeper", "SELECT age, name FROM keeper"),
    ("SELECT DISTINCT name FROM keeper", "SELECT name FROM keeper"),
    ("SELECT name FROM keeper WHERE age > 3", "SELECT name FROM keeper WHERE age > 4"),
    ("SELECT name FROM keeper LIMIT 1", "SELECT name FROM keeper LIMIT 2"),
    (f"SELECT T1.id {JOIN}", f"SELECT T2.keeper_id {JOIN}"),
    (f"SELECT T1.id {JOIN}", f"SELECT T1.id {JOIN.replace('T1.id =', 'T1.age =')}"),
    (
        "SELECT name FROM keeper WHERE age > 3 AND name = 'x' OR id = 1",
        "SELECT name FROM keeper WHERE id = 1 AND age > 3 OR name = 'x'",
    ),
    (
        f"SELECT name FROM keeper WHERE id IN (SELECT T1.id {JOIN} AND T1.age > 3)",
        f"SELECT name FROM keeper WHERE id IN (SELECT T1.id {JOIN} AND T1.age > 4)",
    ),
    (
        f"SELECT id FROM animal UNION SELECT T1.id {JOIN}",
        f"SELECT id FROM animal UNION SELECT T2.keeper_id {JOIN}",
    ),
    (
        "SELECT name FROM keeper EXCEPT SELECT DISTINCT name FROM keeper",
        "SELECT name FROM keeper EXCEPT SELECT name FROM keeper",
    ),
]
DIFFERENT = [
    ("SELECT name FROM keeper LIMIT 1", "SELECT name FROM keeper", {"keywords"}),
    ("SELECT max(age) FROM keeper", "SELECT min(age) FROM keeper", {"select"}),
    (
        "SELECT name FROM keeper WHERE age > 3",
        "SELECT name FROM keeper WHERE age < 3",
        {"where"},
    ),
    (
        "SELECT name FROM keeper GROUP BY age, id",
        "SELECT name FROM keeper GROUP BY id, age",
        {"group"},
    ),
    (
        "SELECT name FROM keeper ORDER BY age ASC LIMIT 1",
        "SELECT name FROM keeper ORDER BY age DESC LIMIT 1",
        {"order", "keywords"},
    ),
    (
        "SELECT name FROM keeper WHERE age > 1 AND id > 2",
        "SELECT name FROM keeper WHERE age > 1 OR id > 2",
        {"and/or", "keywords"},
    ),
    (
        "SELECT name FROM keeper ORDER BY age LIMIT 1",
        "SELECT name FROM keeper ORDER BY age",
        {"order", "keywords"},
    ),
    (
        "SELECT name FROM keeper WHERE age IN (3)",
        "SELECT name FROM keeper WHERE age = 3",
        {"where", "keywords"},
    ),
    (
        "SELECT name FROM keeper WHERE age > 1 AND id > 2 GROUP BY name HAVING age > 1 OR age < 1",
        "SELECT name FROM keeper WHERE age > 1 OR id > 2 GROUP BY name HAVING age > 1 OR age < 1",
        {"and/or"},
    ),
    (
        "SELECT name FROM keeper UNION SELECT name FROM animal",
        "SELECT name FROM keeper UNION SELECT id FROM animal",
        {"IUEN"},
    ),
    (  # a branch knows the foreign keys of the first query's tables alone
        f"SELECT animal_id FROM feeding UNION SELECT T1.id {JOIN}",
        f"SELECT animal_id FROM feeding UNION SELECT T2.keeper_id {JOIN}",
        {"IUEN"},
    ),
    (
        "SELECT name FROM keeper WHERE id IN (SELECT DISTINCT id FROM keeper)",
        "SELECT name FROM keeper WHERE id IN (SELECT id FROM keeper)",
        {"where"},
    ),
]


def compare(parsed: Parse, schema: Schema, predicted: str, gold: str) -> tuple[bool, set[str]]:
    found, wanted = normal(parsed(predicted), schema), normal(parsed(gold), schema)
    scores = partial_scores(found, wanted)
    return exact_match(found, wanted), {name for name, s in scores.items() if not s.equal}


@pytest.mark.parametrize(("predicted", "gold"), ALIKE)
def test_queries_that_the_rule_takes_for_alike(
    parsed: Parse, schema: Schema, predicted: str, gold: str
) -> None:
    assert compare(parsed, schema, predicted, gold) == (True, set())


@pytest.mark.parametrize(("predicted", "gold", "unequal"), DIFFERENT)
def test_queries_that_differ_in_some_components(
    parsed: Parse, schema: Schema, predicted: str, gold: str, unequal: set[str]
) -> None:
    assert compare(parsed, schema, predicted, gold) == (False, unequal)


def test_connectors_that_differ_are_counted_the_wrong_way_round(
    parsed: Parse, schema: Schema
) -> None:
    """As the original does: none of the prediction stands as gold's, gold's two as its."""
    found = normal(parsed("SELECT name FROM keeper WHERE age > 1"), schema)
    sql = "SELECT name FROM keeper WHERE age > 1 AND id > 2 OR id < 1"
    score = partial_scores(found, normal(parsed(sql), schema))["and/or"]
    assert (score.gold, score.predicted, score.common) == (0, 2, 0)


def test_other_tables_are_no_match_where_all_components_agree(
    parsed: Parse, schema: Schema
) -> None:
    pair = "SELECT count(*) FROM keeper", "SELECT count(*) FROM animal"
    assert compare(parsed, schema, *pair) == (False, set())
    joined = "SELECT count(*) FROM keeper AS T1 JOIN keeper AS T2"
    assert compare(parsed, schema, pair[0], joined) == (False, set())


def test_distinct_in_a_derived_table_counts(parsed: Parse, schema: Schema) -> None:
    pair = (
        "SELECT count(*) FROM (SELECT DISTINCT name FROM keeper)",
        "SELECT count(*) FROM (SELECT name FROM keeper)",
    )
    assert compare(parsed, schema, *pair) == (False, set())


def test_groups_of_foreign_keys_that_a_later_key_joins_stay_apart() -> None:
    columns = [[0, "a"], [0, "b"], [0, "c"], [0, "d"]]
    keys = [[0, 1], [2, 3], [1, 2]]
    entry = {
        "table_names_original": ["t"],
        "column_names_original": columns,
        "foreign_keys": keys,
    }
    equal = equal_columns(entry)
    assert equal["__t.b__"] == "__t.a__"
    assert equal["__t.d__"] == "__t.c__"


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT name FROM keeper WHERE age > 1", "easy"),
        ("SELECT name, age FROM keeper", "medium"),
        ("SELECT name FROM keeper WHERE id IN (SELECT id FROM keeper)", "hard"),
        ("SELECT name FROM keeper GROUP BY name ORDER BY count(*) LIMIT 1", "hard"),
        ("SELECT name, age FROM keeper WHERE id IN (SELECT id FROM keeper)", "extra"),
        ("SELECT name FROM keeper WHERE age > 1 OR id > 2 OR id < 9", "hard"),
        ("SELECT name , age FROM keeper WHERE age NOT IN (3) AND id IN (4)", "medium"),
        ("SELECT name , age FROM keeper WHERE age NOT IN (3) AND id NOT IN (4)", "hard"),
        ("SELECT max(age) , max(id) FROM keeper WHERE id > 3 AND id < 5 LIMIT 3", "hard"),
        (
            "SELECT name , age FROM keeper WHERE id > 1 AND id < 4 GROUP BY id , age LIMIT 3",
            "extra",
        ),
        (f"SELECT T1.name {JOIN.replace('T2.keeper_id', '(SELECT max(id) FROM keeper)')}", "hard"),
        ("SELECT name FROM keeper WHERE id > (SELECT max(id) FROM keeper) LIMIT 1", "extra"),
        ("SELECT name FROM keeper GROUP BY name HAVING count(*) > 1", "easy"),
        ("SELECT name FROM keeper GROUP BY name HAVING max(age) > 1 AND max(age) < 5", "easy"),
        (
            "SELECT max(age) FROM keeper GROUP BY name HAVING max(age) > 1 AND max(age) < 5",
            "medium",
        ),
    ],
)
def test_hardness_counts_clauses_nested_queries_and_the_rest(
    parsed: Parse, sql: str, level: str
) -> None:
    assert hardness(parsed(sql)) == level


@pytest.mark.parametrize("read", sources())
def test_every_recorded_verdict_of_exact_match_is_ours(read: Source) -> None:
    tables = read_tables(read.path("dail/tables_3dbs"))
    for case in read("eval/em_micro"):
        schema = from_entry(tables[case["db"]])
        gold = parse(tokenize(case["gold"]), schema)
        predicted, problem = EMPTY, None
        try:
            predicted = parse(tokenize(case["pred"]), schema)
        except Problem as error:
            problem = error.kind
        pair = normal(predicted, schema), normal(gold, schema)
        scores = {name: int(score.equal) for name, score in partial_scores(*pair).items()}
        verdict = (hardness(gold), problem, int(exact_match(*pair)), scores)
        expected = (case["hardness"], case["pred_parse_error"], case["exact"], case["f1"])
        assert verdict == expected, case["pred"]


@pytest.mark.parametrize("read", sources())
def test_every_recorded_verdict_on_result_tables_is_ours(read: Source) -> None:
    for case in read("eval/result_eq_micro"):
        assert same_result(case["r1"], case["r2"], case["order_matters"]) == case["equal"], case
