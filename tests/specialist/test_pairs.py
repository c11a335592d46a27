"""Questions with their SQL, as people write them down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.errors import DataError
from luciola.specialist.pairs import read_pairs


def test_names_of_the_columns_that_others_use_are_understood() -> None:
    rows = [
        {"question": " How many? ", "query": "SELECT 1", "db_id": "shop"},
        {"question": "And now?", "sql": "SELECT 2"},
        {"question": "Third?", "SQL": "SELECT 3"},
    ]
    Path("pairs.json").write_text(json.dumps(rows))
    pairs = read_pairs("pairs.json")
    assert [(p.question, p.query, p.database) for p in pairs] == [
        ("How many?", "SELECT 1", "shop"),
        ("And now?", "SELECT 2", ""),
        ("Third?", "SELECT 3", ""),
    ]


def test_a_file_of_bird_is_read_with_its_evidence_as_the_folder_is() -> None:
    row = {"db_id": "zoo", "question": "How many?", "evidence": "many: count(*)", "SQL": "SELECT 1"}
    Path("bird").mkdir()
    Path("bird/dev.json").write_text(json.dumps([row]))
    assert read_pairs("bird/dev.json") == read_pairs("bird:dev")
    assert read_pairs("bird")[0].question == "How many? many: count(*)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"pairs\.jsonl: holds no pairs"),
        ('{"question": "a", "query": "b"}\n{"question": "a"}\n', r"jsonl:2: .*this one has quest"),
        ('{"question": "a", "query": " "}\n', r"jsonl:1: 'query' is empty"),
        (
            '{"question": 5, "query": "b"}\n',
            r"jsonl:1: 'question' must be a text, got the number 5",
        ),
        ('{"question": "a"\n', r"jsonl:1: not valid JSON"),
    ],
)
def test_a_row_that_is_no_pair_is_named(text: str, said: str) -> None:
    Path("pairs.jsonl").write_text(text)
    with pytest.raises(DataError, match=said):
        read_pairs("pairs.jsonl")
