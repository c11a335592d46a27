"""Data sets are recognised from their folders, and read as they were published."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from luciola.errors import DataError
from luciola.sql.datasets.dataset import database_folder, is_dataset, open_dataset, split_path
from luciola.sql.question import Question
from small_datasets import ASKED, bird, database, spider, write


def test_spiders_training_part_is_both_files_in_their_order(tmp_path: Path) -> None:
    found = open_dataset(spider(tmp_path), "train")
    assert [asked.question for asked in found.questions] == ["train_spider?", "train_others?"]
    assert found.splits == ("dev", "test", "train_others", "train_spider", "train")
    assert found.databases == tmp_path / "database"


def test_spiders_test_part_has_databases_and_schemas_of_its_own(tmp_path: Path) -> None:
    found = open_dataset(f"{spider(tmp_path)}:test")
    assert (found.name, found.split) == ("Spider", "test")
    assert found.databases == tmp_path / "test_database"
    assert found.tables == tmp_path / "test_tables.json"


def test_a_question_stays_to_the_byte(tmp_path: Path) -> None:
    write(tmp_path / "dev.json", [{**ASKED, "question": " Which ?\u00a0"}])
    assert open_dataset(tmp_path).questions[0].question == " Which ?\u00a0"


def test_spiders_parse_tree_is_no_sql(tmp_path: Path) -> None:
    write(tmp_path / "dev.json", [{"sql": {"limit": None}, **ASKED}])
    assert open_dataset(tmp_path).questions[0].query == ASKED["query"]


def test_birds_evidence_stands_behind_the_question(tmp_path: Path) -> None:
    found = open_dataset(bird(tmp_path), "dev")
    assert found.name == "BIRD"
    first, second = found.questions
    assert first.question == "Which cities? city is city"
    assert first.query == "SELECT city FROM shop"
    assert (second.question, second.difficulty) == ("Which cities?", "moderate")
    assert found.databases == tmp_path / "dev_20240627" / "dev_databases"
    assert found.tables == tmp_path / "dev_20240627" / "dev_tables.json"


def test_a_folder_unpacked_into_its_own_name_is_found(tmp_path: Path) -> None:
    write(tmp_path / "dev.json", [ASKED])
    inner = tmp_path / "dev_databases" / "dev_databases"
    database(inner / "shop" / "shop.sqlite")
    assert open_dataset(tmp_path).databases == inner


def test_spider_syn_asks_with_its_synonyms(tmp_path: Path) -> None:
    row = {"db_id": "shop", "SpiderQuestion": "Which cities?", "SpiderSynQuestion": "Which towns?"}
    write(tmp_path / "Spider-Syn" / "dev.json", [{**row, "query": "SELECT city FROM shop"}])
    found = open_dataset(tmp_path)
    assert (found.name, found.questions[0].question) == ("Spider-Syn", "Which towns?")
    with pytest.raises(DataError, match="comes without databases; looked for were"):
        found.place()


@pytest.mark.parametrize(
    ("file", "name"),
    [("Spider-DK.json", "Spider-DK"), ("spider-realistic.json", "Spider-Realistic")],
)
def test_relatives_of_spider_are_known_by_their_file(tmp_path: Path, file: str, name: str) -> None:
    write(tmp_path / file, [{"type": 2, **ASKED}])
    assert open_dataset(tmp_path).name == name


def test_gold_queries_come_from_their_file_where_questions_have_none(tmp_path: Path) -> None:
    rows = [{"db_id": "shop", "question": "One?"}, {"db_id": "shop", "question": "Two?"}]
    write(tmp_path / "test.json", rows)
    gold = tmp_path / "test_gold.sql"
    gold.write_text("SELECT 1\tshop\nSELECT 2\tshop\n", encoding="utf-8")
    found = open_dataset(tmp_path, needs_query=True)
    assert [asked.query for asked in found.questions] == ["SELECT 1", "SELECT 2"]
    gold.write_text("SELECT 1\tshop\n", encoding="utf-8")
    with pytest.raises(DataError, match="has 1 queries for 2 questions"):
        open_dataset(tmp_path)
    gold.write_text("SELECT 1\tshop\nSELECT 2\tbar\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test_gold\.sql:2: names the database 'bar'"):
        open_dataset(tmp_path)


def test_ones_own_pairs_need_no_db_id_where_there_is_one_database(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("question,sql\nHow many?,SELECT 1\n", encoding="utf-8")
    with pytest.raises(DataError, match="a row needs a text 'db_id', and this one has question"):
        open_dataset(tmp_path)
    database(tmp_path / "shop.sqlite")
    found = open_dataset(tmp_path / "pairs.csv")
    expected = Question("shop", "How many?", "SELECT 1", origin=found.questions[0].origin)
    assert (found.name, found.questions, found.databases) == ("pairs", (expected,), tmp_path)


def test_files_that_are_no_questions_are_no_splits(tmp_path: Path) -> None:
    spider(tmp_path)
    write(tmp_path / "report.json", {"summary": {"em": 1.0}})
    assert "report" not in open_dataset(tmp_path, "dev").splits
    assert "tables" not in open_dataset(tmp_path, "dev").splits


@pytest.mark.parametrize(
    "row",
    [
        {"index": 0, "question": "Which?", "prompt": 'The "query": SELECT '},
        {"question": "Which?", "gold": "SELECT 1", "predicted": "SELECT 2", "correct": False},
    ],
)
def test_what_our_own_commands_wrote_beside_the_questions_is_no_split(
    tmp_path: Path, row: dict[str, object]
) -> None:
    (tmp_path / "written.jsonl").write_text(json.dumps(row) + "\n")
    write(tmp_path / "dev.json", [ASKED])
    write(tmp_path / "prompted.json", [{**ASKED, "prompt": "a column of one's own"}])
    assert open_dataset(tmp_path, "dev").splits == ("dev", "prompted")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone", "there is no such folder or file"),
        ("empty", "holds no file with questions"),
        ("spider", "has several splits: dev, test, train_others, train_spider, train"),
        ("spider:devel", "has no split 'devel'; it has dev"),
        ("spider:dev:x", "there is no such folder or file"),
    ],
)
def test_what_cannot_be_opened_says_what_was_looked_for(
    tmp_path: Path, path: str, said: str
) -> None:
    spider(tmp_path / "spider")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=re.escape(said)):
        open_dataset(str(tmp_path / path))


def test_a_query_that_is_needed_and_missing_is_named_with_its_row(tmp_path: Path) -> None:
    write(tmp_path / "dev.json", [ASKED, {"db_id": "shop", "question": "Who?"}])
    with pytest.raises(DataError, match=r"dev\.json:\d+: a row needs a text 'query'"):
        open_dataset(tmp_path, needs_query=True)


def test_a_file_with_a_colon_in_its_name_is_a_file(tmp_path: Path) -> None:
    odd = write(tmp_path / "my:dev.json", [ASKED])
    assert split_path(odd) == (odd, "")
    assert not is_dataset(str(odd))
    assert is_dataset(f"{tmp_path}:dev")


def test_a_data_set_stands_for_the_folder_of_its_databases(tmp_path: Path) -> None:
    folder = bird(tmp_path / "bird")
    databases = folder / "dev_20240627" / "dev_databases"
    assert database_folder(f"{folder}:dev") == databases
    assert database_folder(databases) == databases
    assert database_folder(folder) == folder  # train's or dev's: not said
    assert database_folder(tmp_path / "gone.sqlite") == tmp_path / "gone.sqlite"
