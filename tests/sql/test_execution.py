from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from luciola.errors import SqlForbiddenError, SqlInvalidError
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.execution import Item, evaluate, judge
from luciola.sql.rules import prepared, spider

NAMES = "SELECT name, city FROM shop"


@pytest.fixture(scope="module")
def sandbox(shop: Path) -> Iterator[Sandbox]:
    with Sandbox(shop) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("gold", "predicted", "correct"),
    [
        (NAMES, "SELECT city, name FROM shop ORDER BY name", True),
        (NAMES + " ORDER BY id", NAMES + " ORDER BY id DESC", False),
        (NAMES, NAMES + " WHERE id < 4", False),
        ("SELECT DISTINCT city FROM shop", "SELECT city FROM shop", True),
        ("SELECT count(DISTINCT city) FROM shop", "SELECT count(*) FROM shop", True),
        ("SELECT age FROM employee WHERE age > = 35", "SELECT 41 UNION SELECT 35", True),
        ("SELECT 7 WHERE 1 ! = 2 AND 1 < = 2", "SELECT 7", True),
        ("SELECT YEAR(CURDATE()) - 20", "SELECT 2000", True),
        ("SELECT 'distinct'", "SELECT 'distinct '", False),
    ],
)
def test_an_answer_is_right_if_its_result_is(
    gold: str, predicted: str, correct: bool, shop: Path, sandbox: Sandbox
) -> None:
    verdict = judge(gold, predicted, shop, sandbox)
    assert verdict.ran and verdict.correct == correct


def test_distinct_counts_when_asked_for(shop: Path, sandbox: Sandbox) -> None:
    pair = ("SELECT DISTINCT city FROM shop", "SELECT city FROM shop", shop, sandbox)
    assert judge(*pair).correct
    assert not judge(*pair, rule=spider(keep_distinct=True)).correct


def test_only_the_word_distinct_is_dropped() -> None:
    sql = "SELECT DISTINCT 'distinct', \"distinct\" FROM distincts -- distinct\nWHERE a"
    assert prepared(sql) == sql.replace("SELECT DISTINCT", "SELECT ")
    assert prepared(sql, keep_distinct=True) == sql


def test_only_the_first_statement_is_judged(shop: Path, sandbox: Sandbox) -> None:
    assert judge(NAMES, NAMES + " ; SELECT 1", shop, sandbox).correct


def test_an_answer_that_does_not_run_is_wrong_and_says_why(shop: Path, sandbox: Sandbox) -> None:
    items = [Item(NAMES, answer, shop) for answer in (NAMES, "SELEC", "DROP TABLE shop", "")]
    report = evaluate(items, sandbox)
    assert report.execution_accuracy == 0.25
    assert report.not_running == 3
    assert [type(verdict.error) for verdict in report.verdicts] == [
        type(None), SqlInvalidError, SqlForbiddenError, SqlInvalidError,
    ]  # fmt: skip


def test_a_gold_query_that_does_not_run_leaves_its_item_out(shop: Path, sandbox: Sandbox) -> None:
    """One right answer of one that can be judged; the failing answer beside it counts nowhere."""
    items = [Item("SELECT x FROM shop", "SELECT y FROM shop", shop), Item(NAMES, NAMES, shop)]
    report = evaluate(items, sandbox)
    failing, right = report.verdicts
    assert "no such column: x" in str(failing.gold_error)
    assert (failing.correct, right.correct) == (False, True)
    assert (report.judged, report.not_running, report.execution_accuracy) == (1, 0, 1.0)


def test_the_verdicts_do_not_depend_on_the_number_of_workers(shop: Path, sandbox: Sandbox) -> None:
    answers = ["SELECT city, name FROM shop", "SELEC", NAMES + " LIMIT 1"] * 5
    items = [Item(NAMES, answer, shop) for answer in answers]
    with Sandbox(workers=2) as two:
        verdicts = [verdict.correct for verdict in evaluate(items, two).verdicts]
    assert verdicts == [verdict.correct for verdict in evaluate(items, sandbox).verdicts]
    assert verdicts == [True, False, False] * 5


def test_nothing_to_judge_is_no_division_by_zero(sandbox: Sandbox) -> None:
    assert evaluate([], sandbox).execution_accuracy == 0.0


def test_gold_against_itself_is_right_on_all_of_spiders_validation_part(
    spider: Path, spider_counts: tuple[int, int]
) -> None:
    rows = list(map(json.loads, (spider / "validation.jsonl").read_text().splitlines()))
    items = [
        Item(row["query"], f"{row['query']} ", database_of(spider, row["db_id"])) for row in rows
    ]
    with Sandbox() as sandbox:
        report = evaluate(items, sandbox)
    assert len(items) == spider_counts[0]
    assert report.execution_accuracy == 1.0


def database_of(spider: Path, name: str) -> Path:
    return spider / "database" / name / f"{name}.sqlite"
