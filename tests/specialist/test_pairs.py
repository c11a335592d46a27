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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"pairs\.jsonl: holds no pairs"),
        ('{"question": "a", "query": "b"}\n{"question": "a"}\n', r"jsonl:2: .*this row has quest"),
        ('{"question": "a", "query": " "}\n', r"jsonl:1: a pair needs a text 'query'"),
        ('{"question": "a"\n', r"jsonl:1: not valid JSON"),
    ],
)
def test_a_row_that_is_no_pair_is_named(text: str, said: str) -> None:
    Path("pairs.jsonl").write_text(text)
    with pytest.raises(DataError, match=said):
        read_pairs("pairs.jsonl")
