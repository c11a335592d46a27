"""A small schema, and queries parsed on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.sql.official.grammar import parse
from luciola.sql.official.query import Query
from luciola.sql.official.schema import Schema, from_entry
from luciola.sql.official.tokens import tokenize

ENTRY = {
    "db_id": "zoo",
    "table_names_original": ["Keeper", "Animal", "Feeding"],
    "column_names_original": [
        [-1, "*"],
        [0, "Id"],
        [0, "Name"],
        [0, "Age"],
        [1, "Id"],
        [1, "Name"],
        [1, "Keeper_Id"],
        [2, "Animal_Id"],
        [2, "Value"],
    ],
    "primary_keys": [1, 4],
    "foreign_keys": [[6, 1], [7, 4]],
}


@pytest.fixture(scope="session")
def schema() -> Schema:
    return from_entry(ENTRY)


@pytest.fixture(scope="session")
def parsed(schema: Schema) -> Callable[[str], Query]:
    return lambda sql: parse(tokenize(sql), schema)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference cases beside the checkout."""
    folder = Path(__file__).parents[4] / "shared"
    if not (folder / "goldens" / "eval").is_dir():
        pytest.skip("the reference cases are not beside this checkout")
    return folder
