"""`sql prompts`, `sql eval` and pairs take a data set's folder where they take files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from luciola.cli.early import check_data, check_databases
from luciola.cli.sql import app
from luciola.config.sft import DataSource
from luciola.errors import DataError
from luciola.specialist.evaluating import Databases
from luciola.specialist.pairs import read_pairs
from small_datasets import ASKED, bird, database, spider, write


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def prompts(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    out = folder / "prompts.jsonl"
    run("prompts", "--out", str(out), "--representation", "TR_P", *arguments)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_prompts_find_the_databases_of_a_split(tmp_path: Path) -> None:
    (found,) = prompts(tmp_path, "--questions", f"{spider(tmp_path / 'spider')}:dev")
    assert found["prompt"].endswith("shop: id, city\nAnswer the following: dev?\nSELECT ")


def test_examples_come_from_another_split_with_databases_of_its_own(tmp_path: Path) -> None:
    """BIRD's train and dev lie in two folders, and FI_O shows the examples' databases too."""
    folder = bird(tmp_path / "bird")
    rows = [{"db_id": "bar", "question": "Which drinks?", "evidence": "", "SQL": "SELECT name"}]
    write(folder / "train" / "train.json", rows)
    database(folder / "train" / "train_databases" / "bar" / "bar.sqlite", "CREATE TABLE drink (a)")
    options = ("--pool", f"{folder}:train", "--shots", "1", "--organization", "FI_O")
    found = prompts(tmp_path, "--questions", f"{folder}:dev", *options)
    assert "drink: a\nAnswer the following: Which drinks?\nSELECT name" in found[0]["prompt"]
    assert "shop: id, city\nAnswer the following: Which cities? city" in found[0]["prompt"]


def test_questions_without_databases_ask_for_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "syn"
    write(folder / "dev.json", [{"db_id": "shop", "SpiderSynQuestion": "Which towns?"}])
    with pytest.raises(DataError, match="comes without databases"):
        prompts(tmp_path, "--questions", str(folder))
    place = spider(tmp_path / "spider") / "database"
    (found,) = prompts(tmp_path, "--questions", str(folder), "--databases", str(place))
    assert "Which towns?" in found["prompt"]


def test_predictions_are_judged_against_a_split(tmp_path: Path) -> None:
    folder = spider(tmp_path / "spider")
    answers = tmp_path / "answers.sql"
    answers.write_text("SELECT city FROM shop\n", encoding="utf-8")
    said = run("eval", "--gold", f"{folder}:dev", "--predictions", str(answers))
    assert "100.0%" in said
    answers.write_text("SELECT 1\nSELECT 2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"2 predictions for 1 lines of .*spider:dev"):
        run("eval", "--gold", f"{folder}:dev", "--predictions", str(answers))


def test_pairs_and_their_databases_are_read_from_a_data_set(tmp_path: Path) -> None:
    folder = f"{spider(tmp_path)}:dev"
    check_data([DataSource(folder)])
    check_databases(folder)
    (pair,) = read_pairs(folder)
    assert (pair.question, pair.query, pair.database) == ("dev?", ASKED["query"], "shop")
    assert Databases(folder).of(pair) == str(tmp_path / "database" / "shop" / "shop.sqlite")
