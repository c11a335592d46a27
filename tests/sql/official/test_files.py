"""Gold and predictions from text and JSON, paired or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.errors import DataError
from luciola.sql.official.files import Example, read_examples, read_predictions

GOLD = "SELECT 1\tone\nSELECT 2\ttwo\n"


def read(tmp_path: Path, gold: str, predictions: str, suffix: str = ".sql") -> list[Example]:
    (tmp_path / "gold.sql").write_text(gold)
    (tmp_path / f"answers{suffix}").write_text(predictions)
    return read_examples(tmp_path / "gold.sql", tmp_path / f"answers{suffix}")


def test_lines_are_paired_in_order_and_what_follows_a_tab_is_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, GOLD, "SELECT a\tx\nSELECT b\n") == [
        Example("SELECT 1", "one", "SELECT a"),
        Example("SELECT 2", "two", "SELECT b"),
    ]


def test_a_blank_line_is_an_empty_prediction_and_moves_nothing(tmp_path: Path) -> None:
    assert [e.predicted for e in read(tmp_path, GOLD, "\nSELECT b\n")] == ["", "SELECT b"]
    assert [e.predicted for e in read(tmp_path, GOLD, "SELECT a\n\n")] == ["SELECT a", ""]


def test_blank_lines_at_the_end_of_either_file_are_no_examples(tmp_path: Path) -> None:
    assert len(read(tmp_path, GOLD + "\n\n", "SELECT a\nSELECT b\n\n\n")) == 2


def test_blank_lines_that_part_interactions_in_both_files_are_left_out(tmp_path: Path) -> None:
    gold = "SELECT 1\tone\n\nSELECT 2\ttwo\n"
    found = read(tmp_path, gold, "SELECT a\n\nSELECT b\n")
    assert [example.predicted for example in found] == ["SELECT a", "SELECT b"]
    with pytest.raises(DataError, match=r"sql:2: .*blank line"):
        read(tmp_path, gold, "SELECT a\nSELECT b\nSELECT c\n")


@pytest.mark.parametrize("answers", ["", "SELECT a\n", "SELECT a\nSELECT b\nSELECT c\n"])
def test_another_number_of_lines_is_refused(tmp_path: Path, answers: str) -> None:
    with pytest.raises(DataError, match="predictions for 2 lines"):
        read(tmp_path, GOLD, answers)


def test_a_gold_line_without_a_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gold\.sql:2: has no tab"):
        read(tmp_path, "SELECT 1\tone\nSELECT 2\n", "a\nb\n")


def test_predictions_with_an_index_are_put_in_its_order(tmp_path: Path) -> None:
    rows = [{"index": 1, "prediction": "SELECT b"}, {"index": 0, "prediction": "SELECT a"}]
    text = "\n".join(map(json.dumps, rows))
    found = read(tmp_path, GOLD, text, ".jsonl")
    assert [example.predicted for example in found] == ["SELECT a", "SELECT b"]


def test_an_index_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    rows = [{"index": 0, "prediction": "SELECT b"}, {"index": 0, "prediction": "SELECT a"}]
    with pytest.raises(DataError, match="index 0 stands where 1 should"):
        read(tmp_path, GOLD, "\n".join(map(json.dumps, rows)), ".jsonl")


def test_gold_may_be_rows_of_json(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(json.dumps([{"query": "SELECT 1", "db_id": "one"}]))
    (tmp_path / "answers.sql").write_text("SELECT a\n")
    found = read_examples(tmp_path / "dev.json", tmp_path / "answers.sql")
    assert found == [Example("SELECT 1", "one", "SELECT a")]


@pytest.mark.parametrize("text", ["{", '{"other": 1}', "3"])
def test_rows_that_hold_no_query_are_named_with_their_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"answers\.jsonl:1: "):
        read(tmp_path, "SELECT 1\tone\n", text, ".jsonl")


def test_only_line_ends_part_predictions(tmp_path: Path) -> None:
    """A form feed or Unicode line end within a string is text; blank lines at the end are none."""
    path = tmp_path / "answers.sql"
    path.write_text("SELECT 'a\x0cb'\tnote\n\nSELECT '\u2028'\n\n\n", encoding="utf-8")
    assert read_predictions(path, 3, "pairs") == ["SELECT 'a\x0cb'", "", "SELECT '\u2028'"]
    assert read_predictions(path, 2, "pairs", first=2) == ["SELECT 'a\x0cb'", ""]
    with pytest.raises(DataError, match="has 5 predictions for 2 pairs"):
        read_predictions(path, 2, "pairs")


def test_birds_form_is_read_by_its_numbers(tmp_path: Path) -> None:
    """Three questions, written in another order; one has no mark, one holds a tab of its own."""
    path = tmp_path / "predict_dev.json"
    mark = "\t----- bird -----\tshop"
    rows = {"2": "SELECT 'a\tb'" + mark, "0": "SELECT 0" + mark, "1": "SELECT 1"}
    path.write_text(json.dumps(rows, indent=4))
    assert read_predictions(path, 3, "pairs") == ["SELECT 0", "SELECT 1", "SELECT 'a\tb'"]
    path.write_text(json.dumps({**rows, "10": "SELECT 10"}))
    with pytest.raises(DataError, match="index 10 stands where 3 should"):
        read_predictions(path, 4, "pairs")
    path.write_text(json.dumps({"0": 7}))
    with pytest.raises(DataError, match="has none of the texts"):
        read_predictions(path, 1, "pairs")
