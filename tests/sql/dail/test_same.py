"""A question that stands in the pool is never its own example, unless that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from luciola.cli.sql import app
from luciola.sql.dail.same import query_key, question_key, same_questions, shows_gold
from luciola.sql.question import Question
from small_datasets import database


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How many shops ?", "how  many SHOPS?", True),
        ("How many shops", "How many shops?!", True),
        ("Price > 5?", "Price < 5?", False),
        ("How many shops?", "How many cities?", False),
        ("?", "!", False),
        ("Who is O'Neil?", "Who is O' Neil?", True),
        ("多少店?", "多少店？", True),
    ],
)
def test_case_spacing_and_the_last_mark_make_no_other_question(
    one: str, other: str, same: bool
) -> None:
    assert (question_key(one) == question_key(other)) is same


def test_queries_are_compared_without_spacing_and_case_outside_strings() -> None:
    assert query_key("select  Name FROM shop;") == query_key("SELECT name from shop -- all")
    assert query_key("SELECT 'Bath'") != query_key("SELECT 'bath'")


def test_only_the_same_database_counts() -> None:
    asked = [Question("shop", "How many?"), Question("zoo", "How many?")]
    pool = [Question("shop", "how many"), Question("park", "How many?"), Question("shop", "Who?")]
    assert same_questions(asked, pool) == [frozenset({0}), frozenset()]
    row = Question("shop", "How many?", "SELECT count(*) FROM shop")
    assert shows_gold(row, [("shop", "select COUNT(*) from shop")])
    assert not shows_gold(row, [("zoo", "select COUNT(*) from shop")])
    assert not shows_gold(Question("shop", "How many?"), [("shop", "")])


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """Six questions, of which the first is there twice, and two have the same SQL."""
    database(tmp_path / "database" / "shop" / "shop.sqlite")
    made = [
        {"db_id": "shop", "question": f"Which id is number {n}?", "query": f"SELECT {n} FROM shop"}
        for n in range(5)
    ]
    made.append({**made[0], "question": "which  ID is number 0 ?"})
    made.append({**made[1], "question": "Number one, please"})
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return made


def prompts(*more: str) -> tuple[list[dict[str, object]], str]:
    words = ["prompts", "--questions", "questions.jsonl", "--pool", "questions.jsonl"]
    words += ["--databases", "database", "--out", "prompts.jsonl", "--selection", "QTS_S"]
    result = CliRunner().invoke(app, [*words, "--shots", "3", "--representation", "TR_P", *more])
    assert result.exit_code == 0, result.output
    lines = Path("prompts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], result.stdout


@pytest.mark.parametrize("selection", ["QTS_S", "MQS_S", "RANDOM", "ORACLE"])
def test_no_prompt_holds_its_own_gold(rows: list[dict[str, str]], selection: str) -> None:
    found, said = prompts("--selection", selection)
    for row, made in list(zip(rows, found, strict=True))[2:5]:
        assert row["query"] not in str(made["prompt"])
    assert [made.get("same_left_out") for made in found] == [2, 1, 1, 1, 1, 2, 1]
    assert "7 questions stand in the pool themselves; they are left out" in said


def test_the_published_behaviour_is_a_flag_away(rows: list[dict[str, str]]) -> None:
    found, said = prompts("--allow-self")
    for row, made in zip(rows, found, strict=True):
        assert row["query"] in str(made["prompt"])
        assert "same_left_out" not in made
    assert "7 questions stand in the pool themselves, and may be their own example" in said
    assert "7 prompts show their own gold SQL in an example" in said
