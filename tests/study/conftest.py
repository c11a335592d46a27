"""A zoo with questions, and a model whose answers are written down."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from luciola.config import from_mapping
from luciola.config.study import StudyConfig, StudyModel
from luciola.sql.asking.model import Answers, Progress, Sampling

ZOO = """
CREATE TABLE keeper (id INT PRIMARY KEY, name TEXT, age INT);
CREATE TABLE animal (id INT PRIMARY KEY, kind TEXT, weight INT,
    keeper_id INT, FOREIGN KEY (keeper_id) REFERENCES keeper (id));
INSERT INTO keeper VALUES (1, 'Ann', 41), (2, 'Bo', 29), (3, 'Cy', 35);
INSERT INTO animal VALUES (1, 'lion', 190, 1), (2, 'owl', 2, 1), (3, 'seal', 90, 3);
"""
ENTRY = {
    "db_id": "zoo",
    "table_names": ["keeper", "animal"],
    "table_names_original": ["keeper", "animal"],
    "column_names": [
        [-1, "*"], [0, "id"], [0, "name"], [0, "age"],
        [1, "id"], [1, "kind"], [1, "weight"], [1, "keeper id"],
    ],
    "column_names_original": [
        [-1, "*"], [0, "id"], [0, "name"], [0, "age"],
        [1, "id"], [1, "kind"], [1, "weight"], [1, "keeper_id"],
    ],
    "column_types": ["text", "number", "text", "number", "number", "text", "number", "number"],
    "primary_keys": [1, 4],
    "foreign_keys": [[7, 1]],
}  # fmt: skip
GOLD = {
    "How many keepers are there?": "SELECT count(*) FROM keeper",
    "What are the names of all keepers?": "SELECT name FROM keeper",
    "Which kinds of animals weigh more than 80?": "SELECT kind FROM animal WHERE weight > 80",
    "Who is older than 30 and called Ann?": "SELECT id FROM keeper WHERE age > 30 AND name = 'Ann'",
    "Which keepers look after a lion?": "SELECT T1.name FROM keeper AS T1 JOIN animal AS T2 "
    "ON T1.id = T2.keeper_id WHERE T2.kind = 'lion'",
    "Which keepers look after nothing?": "SELECT name FROM keeper WHERE id NOT IN "
    "(SELECT keeper_id FROM animal)",
}
POOL = {
    "How many animals are there?": "SELECT count(*) FROM animal",
    "What are the kinds of all animals?": "SELECT kind FROM animal",
    "Which keepers are older than 33?": "SELECT name FROM keeper WHERE age > 33",
    "What is the mean weight?": "SELECT avg(weight) FROM animal",
}


class Scripted:
    """A model that answers with gold where `knows` says so, and else with a constant.

    `asked` holds every prompt that it was asked.
    """

    def __init__(self, knows: Callable[[str], bool] = lambda prompt: True) -> None:
        self.name = "scripted"
        self.asked: list[str] = []
        self.samplings: list[Sampling] = []
        self._knows = knows

    def answer(
        self, prompts: Sequence[str], sampling: Sampling, progress: Progress | None = None
    ) -> list[Answers]:
        self.asked += prompts
        self.samplings.append(sampling)
        if progress is not None:
            progress(len(prompts), len(prompts))
        return [self._one(prompt, sampling) for prompt in prompts]

    def _one(self, prompt: str, sampling: Sampling) -> Answers:
        right = GOLD[next(question for question in GOLD if question in prompt.split("\n\n")[-1])]
        said = right.removeprefix("SELECT ") if self._knows(prompt) else "77"
        return Answers((said,) * sampling.answers, len(prompt.split()), 5)

    def opened(self, model: StudyModel, config: StudyConfig) -> Scripted:
        return self


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A folder with questions, pool, tables.json and database."""
    folder = tmp_path / "zoo"
    (folder / "database" / "zoo").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "database" / "zoo" / "zoo.sqlite")) as connection:
        connection.executescript(ZOO)
    (folder / "tables.json").write_text(json.dumps([ENTRY]))
    for name, pairs in (("questions", GOLD), ("pool", POOL)):
        rows = [{"db_id": "zoo", "question": q, "query": sql} for q, sql in pairs.items()]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def study_of(zoo: Path, tmp_path: Path) -> Callable[..., StudyConfig]:
    """A study of the zoo; a model behind an address, which is never called."""

    def study(**settings: Any) -> StudyConfig:
        given: dict[str, Any] = {
            "questions": str(zoo / "questions.jsonl"),
            "databases": str(zoo / "database"),
            "tables": str(zoo / "tables.json"),
            "pool": str(zoo / "pool.jsonl"),
            "out": str(tmp_path / "out"),
            "models": [{"model": "m", "url": "http://localhost:1/v1"}],
            "grids": [{"representations": ["TR_P", "CR_P"]}],
        }
        return from_mapping(StudyConfig, {**given, **settings})

    return study


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted
