"""Judging SQL by what it returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.scoring import summary
from luciola.errors import DataError
from luciola.specialist.evaluating import (
    Databases,
    Evaluation,
    judge_predictions,
    write_predictions,
)
from luciola.specialist.pairs import Pair
from luciola.types import Origin

PAIRS = [
    Pair("How many shops?", "SELECT COUNT(*) FROM shop"),
    Pair("Who is in Bath?", "SELECT name FROM shop WHERE city_id = 1"),
    Pair("How many cities?", "SELECT COUNT(*) FROM city"),
]
ANSWERS = ["SELECT COUNT(id) FROM shop", "SELECT name FROM shop", "SELECT COUNT(*) FROM town"]


def test_right_wrong_and_not_running_are_told_apart(shop: Path, tmp_path: Path) -> None:
    report = judge_predictions(PAIRS, ANSWERS, [str(shop)] * 3)
    evaluation = Evaluation(report, tuple(ANSWERS), 1.0)
    assert [verdict.correct for verdict in report.verdicts] == [True, False, False]
    assert evaluation.accuracy == pytest.approx(1 / 3)
    assert evaluation.not_running == 1
    write_predictions(tmp_path / "answers.jsonl", PAIRS, evaluation)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["predicted"] for row in rows] == ANSWERS
    assert [row["error"] is None for row in rows] == [True, True, False]
    assert "town" in rows[2]["error"]


def test_gold_that_fails_costs_no_other_verdict(shop: Path, tmp_path: Path) -> None:
    """A model may have answered for hours before one of the pairs turns out to be broken."""
    pairs = [*PAIRS[:1], Pair("How tall?", "SELECT height FROM shop")]
    report = judge_predictions(pairs, ANSWERS[:2], [str(shop)] * 2)
    assert report.execution_accuracy == 1.0
    evaluation = Evaluation(report, tuple(ANSWERS[:2]), 1.0)
    write_predictions(tmp_path / "answers.jsonl", pairs, evaluation)
    _, broken = map(json.loads, (tmp_path / "answers.jsonl").read_text().splitlines())
    assert broken["correct"] is None
    assert broken["error"].startswith("gold fails: ")
    said = summary(report)
    assert "execution accuracy 100.0% (1 of 1)" in said
    assert (
        "not judged, because gold fails or the database cannot be read: 1\n  pair 2: gold fails: "
        in said
    )


def test_a_folder_holds_a_database_for_each_name(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "shop.sqlite"
    file.touch()
    databases = Databases(tmp_path)
    where = Origin("pairs.jsonl", 7)
    assert databases.of(Pair("q", "s", "shop", where)) == str(file)
    with pytest.raises(DataError, match=r"pairs\.jsonl:7: there is no database 'staff' in"):
        databases.of(Pair("q", "s", "staff", where))
    with pytest.raises(DataError, match=r"pairs\.jsonl:7: names no db_id"):
        databases.of(Pair("q", "s", "", where))
    assert Databases(file).of(Pair("q", "s")) == str(file)
    (tmp_path / "staff.sqlite").touch()
    assert databases.of(Pair("q", "s", "staff")) == str(tmp_path / "staff.sqlite")
