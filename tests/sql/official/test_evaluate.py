"""Predictions judged from end to end, on databases made here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import DataError
from luciola.sql.official.evaluate import Judged, Options, evaluate
from luciola.sql.official.execution import plugged, suite_files
from luciola.sql.official.files import Example
from luciola.sql.official.report import interval, report, table
from luciola.sql.official.schema import read_tables

GOLD = "SELECT Name FROM Keeper WHERE Age > 35"


def judge(zoo: Path, *pairs: tuple[str, str], **options: Any) -> list[Judged]:
    tables = read_tables(zoo.parent / "tables.json")
    examples = [Example(gold, "zoo", predicted) for gold, predicted in pairs]
    return evaluate(examples, zoo, tables, Options(**options))


def test_exact_match_and_execution_are_judged_apart(zoo: Path) -> None:
    other_literal, other_words, wrong, right = judge(
        zoo,
        (GOLD, "SELECT Name FROM Keeper WHERE Age > 99"),
        (GOLD, "SELECT Name FROM Keeper WHERE Age >= 40"),
        (GOLD, "SELECT Age FROM Keeper"),
        (GOLD, GOLD.lower()),
    )
    assert (other_literal.em, other_literal.ex) == (True, False)
    assert (other_words.em, other_words.ex) == (False, True)
    assert (wrong.em, wrong.ex) == (False, False)
    assert (right.em, right.ex, right.errors) == (True, True, {})


def test_a_prediction_that_is_empty_or_does_not_run_is_wrong_and_says_why(zoo: Path) -> None:
    empty, broken = judge(zoo, (GOLD, ""), (GOLD, "SELECT Nam FROM Keeper"))
    assert (empty.em, empty.ex, empty.valid) == (False, False, False)
    assert empty.errors["ex"] == "the prediction is empty"
    assert (broken.em, broken.ex, broken.valid) == (False, False, False)
    assert "Nam" in broken.errors["ex"]


def test_gold_that_fails_leaves_its_example_out_and_the_others_in_place(zoo: Path) -> None:
    failing, right = judge(zoo, ("SELECT x FROM nowhere", GOLD), (GOLD, GOLD))
    assert (failing.em, failing.ex, failing.valid) == (None, None, None)
    assert (right.index, right.em, right.ex) == (1, True, True)
    whole = report([failing, right], Options())["summary"]
    assert (whole["em"], whole["ex"], whole["gold_failures"]) == (1.0, 1.0, [0])
    assert "left out because gold fails: 1" in table([failing, right], Options())


def test_a_query_without_end_is_stopped_by_the_time_limit(zoo: Path) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    started = time.monotonic()
    (judged,) = judge(zoo, (GOLD, endless), metrics=("ex",), timeout_s=0.3)
    assert judged.ex is False
    assert "0.3 s" in judged.errors["ex"]
    assert time.monotonic() - started < 5


def test_a_test_suite_is_passed_only_on_all_of_its_files(second_zoo: Path) -> None:
    lucky, right = judge(
        second_zoo,
        (GOLD, "SELECT Name FROM Keeper WHERE Age = 40"),
        (GOLD, "SELECT Name FROM Keeper WHERE NOT Age <= 35"),
        metrics=("ex", "ts"),
    )
    assert (lucky.ex, lucky.ts) == (True, False)
    assert (right.ex, right.ts) == (True, True)


def test_logs_beside_a_database_are_no_databases_of_the_suite(second_zoo: Path) -> None:
    (second_zoo / "zoo" / "zoo.sqlite-journal").touch()
    names = [path.name for path in suite_files(second_zoo, "zoo")]
    assert names == ["zoo.sqlite", "zoo_1.sqlite"]


@pytest.mark.parametrize("official", [True, False])
def test_the_rows_order_counts_only_where_gold_orders_them(zoo: Path, official: bool) -> None:
    ordered, other = judge(
        zoo,
        ("SELECT Name FROM Keeper ORDER BY Id", "SELECT Name FROM Keeper ORDER BY Id DESC"),
        ("SELECT Name FROM Keeper", "SELECT Name FROM Keeper ORDER BY Id DESC"),
        official=official,
        metrics=("ex",),
    )
    assert (ordered.ex, other.ex) == (False, True)


def test_distinct_counts_only_where_it_is_kept(zoo: Path) -> None:
    pair = ("SELECT DISTINCT Age FROM Keeper", "SELECT Age FROM Keeper")
    assert judge(zoo, pair)[0].ex is True
    assert judge(zoo, pair, keep_distinct=True)[0].ex is False


def test_literals_of_gold_are_put_in_only_where_asked(zoo: Path) -> None:
    pair = (GOLD, "SELECT Name FROM Keeper WHERE Age > 50")
    assert judge(zoo, pair)[0].ex is False
    assert judge(zoo, pair, plug_value=True)[0].ex is True


def test_gold_literals_are_tried_until_some_combination_is_right(zoo: Path) -> None:
    """40 and 40 first, then 40 and 2, which is gold itself."""
    pair = (
        "SELECT Name FROM Keeper WHERE Age = 40 AND Id = 2",
        "SELECT Name FROM Keeper WHERE Age = 9 AND Id = 9",
    )
    assert judge(zoo, pair, plug_value=True)[0].ex is True


def test_every_combination_of_gold_literals_is_tried() -> None:
    gold, predicted = "a = 'x' AND b = 2", "b > 7 AND a = 'y'"
    assert set(plugged(gold, predicted)) == {
        "b > 'x' AND a = 'x'",
        "b > 'x' AND a = 2",
        "b > 2 AND a = 'x'",
        "b > 2 AND a = 2",
    }


def test_the_word_value_is_spoilt_only_in_the_official_mode(zoo: Path) -> None:
    pair = ("SELECT Value FROM Feeding", "SELECT value FROM Feeding")
    (default,) = judge(zoo, pair)
    (official,) = judge(zoo, pair, official=True)
    assert (default.em, default.ex) == (True, True)
    assert default.official == {"em": False, "ex": False}
    assert (official.em, official.ex, official.official) == (False, False, {})
    assert "--official judges 1 otherwise: line 1" in table([default], Options())


@pytest.mark.parametrize(
    "styled",
    [
        "SELECT Name FROM Keeper WHERE Age>=40",
        "SELECT `Name` AS n FROM Keeper WHERE Age >= 40",
        'SELECT k."Name" FROM Keeper k WHERE k.Age >= 40 -- done',
        "SELECT [Name] FROM [Keeper] WHERE Age >= -1",
    ],
)
def test_style_costs_a_match_only_in_the_official_mode(zoo: Path, styled: str) -> None:
    pair = ("SELECT Name FROM Keeper WHERE Age >= 40", styled)
    (default,) = judge(zoo, pair, metrics=("em",))
    assert (default.em, default.official) == (True, {"em": False})
    assert judge(zoo, pair, metrics=("em",), official=True)[0].em is False


@pytest.mark.parametrize(
    ("gold", "styled"),
    [
        (
            "SELECT T1.Name FROM Keeper AS T1 JOIN Animal AS T2 ON T1.Id = T2.Keeper_Id",
            "SELECT a.name FROM keeper a, animal b",
        ),
        ("SELECT Name FROM Keeper WHERE Age != 1", "SELECT Name FROM Keeper WHERE Age <> 1"),
        (
            "SELECT T1.Name FROM Keeper AS T1 JOIN Animal AS T2 ON T1.Id = T2.Keeper_Id",
            "SELECT k.Name FROM Keeper k INNER JOIN Animal ON k.Id=Animal.Keeper_Id",
        ),
        (
            "SELECT Age , count(*) FROM Keeper GROUP BY Age ORDER BY count(*)",
            "SELECT Age, COUNT(*) AS many FROM Keeper GROUP BY Age ORDER BY many",
        ),
        ("SELECT count(DISTINCT Age) FROM Keeper", "SELECT COUNT(DISTINCT(Age)) FROM Keeper"),
        (
            "SELECT Name FROM Keeper WHERE Age IN (1, 2) AND Name NOT IN ('a, b)', 'c')",
            "SELECT Name FROM Keeper WHERE Name NOT IN ('x') AND Age IN (-3,4,5.5)",
        ),
    ],
)
def test_joins_and_names_of_other_styles_are_understood(zoo: Path, gold: str, styled: str) -> None:
    (judged,) = judge(zoo, (gold, styled), metrics=("em",))
    assert judged.em is True, judged.errors


@pytest.mark.parametrize(
    "predicted",
    [
        "SELECT Name FROM Keeper WHERE Id IN (1, 2)",
        "SELECT Name FROM Keeper WHERE Age NOT IN (1, 2)",
        "SELECT Name FROM Keeper WHERE Age IN (1, Id)",
        "SELECT Name FROM Keeper WHERE Age IN (1, 2",
        "SELECT Name FROM Keeper WHERE Age IN (SELECT 1, 2 FROM Keeper)",
    ],
)
def test_a_list_stands_for_no_other_condition(zoo: Path, predicted: str) -> None:
    (judged,) = judge(
        zoo, ("SELECT Name FROM Keeper WHERE Age IN (1, 2)", predicted), metrics=["em"]
    )
    assert (judged.em, judged.hardness) == (False, "easy")


def test_one_literal_in_brackets_stays_the_literal_of_a_derived_table(zoo: Path) -> None:
    """There literals are compared; the prediction is of another style for its alias alone."""
    gold = "SELECT count(*) FROM (SELECT Name FROM Keeper WHERE Age IN (30))"
    pair = (gold, gold.replace("FROM Keeper", "FROM Keeper k"))
    (judged,) = judge(zoo, pair, metrics=["em"])
    assert judged.em is True, judged.errors


@pytest.mark.parametrize(
    "broken",
    [
        "SELECT Name FROM Keeper WHERE Age > 'x",
        "SELECT Name FROM Keeper not WHERE Age > 35",
        "SELECT Name FROM INNER JOIN Keeper WHERE Age > 35",
        "SELECT as Name FROM Keeper WHERE Age > 35",
        "SELECT Name as FROM Keeper WHERE Age > 35",
    ],
)
def test_what_is_no_sql_gains_nothing_by_the_default_mode(zoo: Path, broken: str) -> None:
    (judged,) = judge(zoo, (GOLD, broken), metrics=("em",))
    assert judged.em is False


def test_missing_values_are_compared_in_the_default_mode(zoo: Path) -> None:
    gold = "SELECT Name FROM Keeper WHERE Age IS NOT NULL"
    alike, unlike = judge(
        zoo, (gold, gold.lower()), (gold, gold.replace("NOT ", "")), metrics=("em",)
    )
    assert (alike.em, unlike.em) == (True, False)


def test_an_outer_join_is_never_taken_for_a_join(zoo: Path) -> None:
    gold = "SELECT T1.Name FROM Keeper AS T1 JOIN Animal AS T2 ON T1.Id = T2.Keeper_Id"
    (judged,) = judge(zoo, (gold, gold.replace("JOIN", "LEFT JOIN")), metrics=("em",))
    assert judged.em is False


def test_the_report_has_one_row_an_example_and_shares_by_level(zoo: Path) -> None:
    judged = judge(zoo, (GOLD, GOLD), (GOLD, "SELECT Name FROM Keeper"))
    whole = json.loads(json.dumps(report(judged, Options())))
    assert [row["em"] for row in whole["examples"]] == [1, 0]
    assert whole["examples"][1]["error"] == (
        "em: differs in where, where(no OP), keywords; ex: its result differs from gold's"
    )
    assert whole["examples"][1]["partial"]["select"] == 1
    assert whole["summary"]["em"] == 0.5
    assert whole["summary"]["ts"] is None
    assert whole["summary"]["by_hardness"]["easy"]["count"] == 2
    assert whole["summary"]["by_database"]["zoo"]["ex"] == 0.5
    assert whole["summary"]["partial"]["where"] == {
        "acc": 1.0,
        "rec": 0.5,
        "f1": pytest.approx(2 / 3),
    }
    assert whole["summary"]["partial"]["order"] == {"acc": 0.0, "rec": 0.0, "f1": 1.0}


def test_the_interval_is_wilsons() -> None:
    """8 of 10: centre (0.8 + 0.192) / 1.384 = 0.7167, half width 0.2268."""
    judged = [Judged(index, "zoo", em=index < 8) for index in range(10)]
    assert interval(judged, "em") == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_a_database_that_is_nowhere_is_named(zoo: Path) -> None:
    with pytest.raises(DataError, match="'moon'"):
        evaluate([Example(GOLD, "moon", GOLD)], zoo, {}, Options())


def test_gold_against_gold_is_right_throughout(
    spider: Path, spider_counts: tuple[int, int]
) -> None:
    step = 10 if spider_counts[0] > 100 else 1
    lines = (spider / "validation.jsonl").read_text().splitlines()[::step]
    rows = [json.loads(line) for line in lines]
    examples = [Example(row["query"], row["db_id"], row["query"] + " ;") for row in rows]
    judged = evaluate(examples, spider / "database", read_tables(spider / "tables.json"), Options())
    assert len(judged) == -(-spider_counts[0] // step)
    assert all(each.em and each.ex and each.valid for each in judged)
