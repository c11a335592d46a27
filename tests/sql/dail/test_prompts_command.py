"""`luciola sql prompts` on an invented shop: with and without examples, budgets, and mistakes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from luciola.cli.sql import app
from luciola.errors import ConfigError, DatabaseError, DataError

SCHEMA = "Given the following database schema:\nshop: id, city\n"


class Shop:
    """A folder with a database, questions and a pool, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = self.output = ""
        (folder / "shop").mkdir()
        with closing(sqlite3.connect(folder / "shop" / "shop.sqlite")) as connection:
            connection.execute("CREATE TABLE shop (id, city)")
        self.write("questions", [{"question": " Which city ?", "query": "SELECT city FROM shop"}])
        pairs = [("How many?", "SELECT count(*)  FROM shop"), ("Which id ?", "SELECT id FROM shop")]
        self.write("pool", [{"question": one, "query": other} for one, other in pairs])

    def write(self, name: str, rows: list[dict[str, str]], db_id: str = "shop") -> None:
        lines = [json.dumps({"db_id": db_id, **row}) for row in rows]
        (self.folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def prompts(self, *options: str, pool: bool = False) -> list[dict[str, Any]]:
        named = {"--questions": "questions.jsonl", "--databases": ".", "--out": "out/prompts.jsonl"}
        named |= {"--pool": "pool.jsonl"} if pool else {}
        paths = [word for name, file in named.items() for word in (name, str(self.folder / file))]
        arguments = ["prompts", *paths, "--representation", "TR_P", *options]
        result = CliRunner().invoke(app, arguments)
        if result.exception is not None:
            raise result.exception
        self.errors, self.output = result.stderr, result.stdout
        text = (self.folder / "out" / "prompts.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_zero_shot_keeps_the_question_to_the_byte(shop: Shop) -> None:
    expected = f"{SCHEMA}Answer the following with no explanation:  Which city ?\nSELECT "
    asked = {"index": 0, "db_id": "shop", "question": " Which city ?"}
    assert shop.prompts("--rule") == [{**asked, "prompt": expected}]


def test_dail_selection_puts_the_query_that_looks_alike_first(shop: Shop) -> None:
    (shop.folder / "first.sql").write_text("SELECT count(*) FROM shop\n", encoding="utf-8")
    options = ("--predictions", str(shop.folder / "first.sql"), "--organization", "SO_O")
    (found,) = shop.prompts("--selection", "DAIL_S", "--shots", "1", *options, pool=True)
    assert "SELECT count(*)  FROM shop" in found["prompt"]
    (found,) = shop.prompts("--selection", "MQS_S", "--shots", "1", *options, pool=True)
    assert "SELECT id FROM shop" in found["prompt"]


def test_a_first_answer_is_its_whole_line_as_in_the_original(shop: Shop) -> None:
    """Behind the tab stands what makes it like the first of the pool; cut there, nothing would."""
    (shop.folder / "first.sql").write_text("SELECT\tcount(*) FROM shop\n", encoding="utf-8")
    options = ("--predictions", str(shop.folder / "first.sql"), "--organization", "SO_O")
    (found,) = shop.prompts("--selection", "DAIL_S", "--shots", "1", *options, pool=True)
    assert "SELECT count(*)  FROM shop" in found["prompt"]


def test_without_predictions_the_questions_decide_and_it_is_said(shop: Shop) -> None:
    (found,) = shop.prompts("--shots", "1", pool=True)
    assert "/* Answer the following: Which id ? */\nSELECT id FROM shop" in found["prompt"]
    assert "No --predictions" in shop.errors


def test_the_oracle_reads_the_gold_query(shop: Shop) -> None:
    options = ("--selection", "ORACLE", "--shots", "1", "--organization", "SO_O")
    assert "SELECT id FROM shop" in shop.prompts(*options, pool=True)[0]["prompt"]
    shop.write("questions", [{"question": "Which?"}])
    with pytest.raises(ConfigError, match="gold query of every question, and question 1"):
        shop.prompts(*options, pool=True)


def test_examples_of_the_own_database_can_be_passed_over(shop: Shop) -> None:
    (found,) = shop.prompts("--cross-domain", pool=True)
    assert found["prompt"] == f"{SCHEMA}Answer the following:  Which city ?\nSELECT "


def test_only_cosine_selection_passes_over_the_question_itself(shop: Shop) -> None:
    shop.write("questions", [{"question": "How many?"}])
    options = ("--allow-self", "--shots", "2", "--selection")
    assert "How many? */\nSELECT" in shop.prompts(*options, "QTS_S", pool=True)[0]["prompt"]
    assert "How many? */" not in shop.prompts(*options, "COSSIMILAR", pool=True)[0]["prompt"]


def test_a_budget_drops_examples_by_the_models_own_count(shop: Shop) -> None:
    """A tokenizer of words: the prompt without examples has 13 tokens, each example about 10."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(shop.folder / "tokenizer.json"))
    counted = ("--tokenizer", str(shop.folder), "--max-answer-tokens", "5", "--max-tokens")
    for room, examples in ((1000, 2), (50, 1), (10, 0)):
        (found,) = shop.prompts(*counted, str(room), pool=True)
        assert found["prompt"].count("/* Answer the following:") == examples
        fits = len(found["prompt"].split()) + 5 <= room
        assert fits or examples == 0
        told = "even without examples: 1, line 1" in shop.output
        assert told is not fits


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        (("--max-tokens", "100"), ConfigError, "both --tokenizer and --max-tokens"),
        (
            ("--max-tokens", "100", "--tokenizer", "./modle"),
            ConfigError,
            "there is no tokenizer: no file modle",
        ),
        (("--representation", "SQL_P"), ConfigError, "there is no representation"),
        (("--representation", "CR_P", "--no-foreign-keys"), ConfigError, "no variant without"),
        (("--shots", "3", "--selection", "QTS_S"), ConfigError, "--selection, --shots means"),
    ],
)
def test_settings_that_cannot_be(
    shop: Shop, options: tuple[str, ...], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        shop.prompts(*options)


def test_questions_that_cannot_be_asked_are_named(shop: Shop) -> None:
    shop.write("questions", [{"question": "Who?"}], db_id="bar")
    with pytest.raises(DatabaseError, match=r"questions\.jsonl:1: there is no database 'bar'"):
        shop.prompts()
    shop.write("questions", [{"question": "Who?"}, {"text": "Who?"}])
    with pytest.raises(DataError, match=r"questions\.jsonl:2: a row needs a text 'question'"):
        shop.prompts()


def test_tables_json_that_disagrees_with_the_database_is_told(shop: Shop) -> None:
    entry: dict[str, Any] = {
        "db_id": "shop",
        "table_names": ["shop"],
        "table_names_original": ["shop"],
    }
    columns = [[-1, "*"], [0, "id"], [0, "street"]]
    entry |= {"column_names": columns, "column_names_original": columns}
    path = shop.folder / "tables.json"
    path.write_text(json.dumps([entry | {"column_types": ["text"] * 3}]), encoding="utf-8")
    shop.prompts("--tables", str(path))
    assert "shop: tables.json names what the database lacks: shop.street" in shop.errors


def test_as_many_predictions_as_questions(shop: Shop) -> None:
    (shop.folder / "two.sql").write_text("SELECT 1\nSELECT 2\n", encoding="utf-8")
    with pytest.raises(DataError, match="2 predictions for 1 questions"):
        shop.prompts("--predictions", str(shop.folder / "two.sql"), pool=True)
    with pytest.raises(DataError, match=r"none\.sql: there is no such file"):
        shop.prompts("--predictions", str(shop.folder / "none.sql"), pool=True)
