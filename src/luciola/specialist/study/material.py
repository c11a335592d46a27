"""What a study asks about, read once: questions, their databases, and the pool of examples."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from luciola.config.study import StudyConfig
from luciola.errors import DatabaseError, DataError
from luciola.specialist.study import digest
from luciola.sql.dail.databases import Databases
from luciola.sql.dail.same import same_questions
from luciola.sql.dail.tables import read_tables
from luciola.sql.database.hashing import hashes
from luciola.sql.datasets.dataset import Dataset, open_dataset
from luciola.sql.official.evaluate import Options, evaluate
from luciola.sql.official.files import Example, read_predictions
from luciola.sql.official.schema import read_tables as read_entries
from luciola.sql.place import database_of
from luciola.sql.question import Question


class Remembered(Databases):
    """Databases that mask a question and read a skeleton once, however many points ask."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._masked = cache(super().masked)
        self._skeletons = cache(super().skeleton)

    def masked(self, db_id: str, question: str) -> str:
        return self._masked(db_id, question)

    def skeleton(self, db_id: str, sql: str) -> str:
        return self._skeletons(db_id, sql)


@dataclass(frozen=True)
class Material:
    """What is the same for all points.

    Args:
        questions: those that are asked.
        places: where each stands among all questions of the file.
        levels: how hard each is: easy, medium, hard, extra; "" where its gold query fails.
        pool: examples; none where no point shows any.
        databases: as prompts show them.
        folder: with ID/ID.sqlite, where SQL runs.
        entries: tables.json, for exact match; empty where there is none.
        first: answers to compare with, from a file; none where there is no file.
    """

    questions: tuple[Question, ...]
    places: tuple[int, ...]
    levels: tuple[str, ...]
    pool: tuple[Question, ...]
    databases: Databases
    folder: Path
    entries: Mapping[str, Mapping[str, Any]]
    first: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be judged: exact match needs tables.json."""
        return ("em", "ex") if self.entries else ("ex",)

    @cached_property
    def num_in_pool(self) -> int:
        """How many of the questions stand in the pool themselves."""
        return sum(map(bool, same_questions(self.questions, self.pool)))

    @cached_property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """The databases that are asked, each with a hash of its file."""
        names = sorted({asked.db_id for asked in self.questions})
        files = [self.databases.file(name) for name in names]
        found = tuple(zip(names, hashes(files), strict=True))
        for (_, content), file in zip(found, files, strict=True):
            if not content:
                raise DatabaseError(f"{file} cannot be read")
        return found

    @cached_property
    def pool_contents(self) -> tuple[tuple[str, str], ...]:
        """The databases of examples alone, likewise; "" for one that is not there."""
        asked = {asked.db_id for asked in self.questions}
        names = sorted({example.db_id for example in self.pool} - asked)
        files = {name: file for name in names if (file := self._file(name)) is not None}
        found = dict(zip(files, hashes(list(files.values())), strict=True))
        return tuple((name, found.get(name, "")) for name in names)

    @cached_property
    def listed(self) -> str:
        """A hash of what tables.json says of all these databases; "" without that file."""
        names = {row.db_id for row in (*self.questions, *self.pool)}
        found = {name: self.entries[name] for name in sorted(names) if name in self.entries}
        return digest.of_text(json.dumps(found, sort_keys=True)) if found else ""

    def _file(self, name: str) -> Path | None:
        try:
            return self.databases.file(name)
        except DatabaseError:
            return None


def read_material(config: StudyConfig) -> Material:
    """Read and sample.

    Raises: DataError or DatabaseError for what is not there.
    """
    asked = open_dataset(config.questions, needs_query=True)
    opened = [asked, *([open_dataset(config.pool, needs_query=True)] if config.pool else [])]
    folder = Path(config.databases) if config.databases else asked.place()
    _check_databases(folder, asked.questions)
    tables = config.tables or next((each.tables for each in opened if each.tables), "")
    entries = read_entries(Path(tables)) if tables else {}
    levels = _levels(asked.questions, folder, entries)
    places = sample(levels, config.limit, seed=config.seed, first=config.sample == "first")
    first = _first_answers(config.first_answers, len(asked.questions))
    return Material(
        questions=tuple(asked.questions[place] for place in places),
        places=tuple(places),
        levels=tuple(levels[place] for place in places),
        pool=opened[1].questions if len(opened) > 1 else (),
        databases=Remembered(_folders(folder, opened), read_tables(tables) if tables else {}),
        folder=folder,
        entries=entries,
        first=tuple(first[place] for place in places) if first else (),
    )


def sample(levels: Sequence[str], limit: int, *, seed: int = 0, first: bool = False) -> list[int]:
    """Places of `limit` questions in order, with the shares of levels that all have; 0: every one.

    The largest remainders get what rounding leaves; within a level a seeded draw decides.
    """
    if not limit or limit >= len(levels):
        return list(range(len(levels)))
    if first:
        return list(range(limit))
    groups: dict[str, list[int]] = defaultdict(list)
    for place, level in enumerate(levels):
        groups[level].append(place)
    exact = {level: limit * len(places) / len(levels) for level, places in groups.items()}
    counts = {level: int(share) for level, share in exact.items()}
    by_remainder = sorted(exact, key=lambda level: (counts[level] - exact[level], level))
    for level in by_remainder[: limit - sum(counts.values())]:
        counts[level] += 1
    draw = random.Random(seed)
    return sorted(
        place for level in sorted(groups) for place in draw.sample(groups[level], counts[level])
    )


def _check_databases(folder: Path, questions: Sequence[Question]) -> None:
    """Raises: DataError for the first question whose database is not in the folder where SQL runs:
    no answer to it could be judged.
    """
    first: dict[str, Question] = {}
    for asked in questions:
        first.setdefault(asked.db_id, asked)
    for db_id, asked in first.items():
        database_of(folder, db_id, asked.origin)


def _levels(
    questions: Sequence[Question], folder: Path, entries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    examples = [Example(asked.query, asked.db_id, "") for asked in questions]
    judged = evaluate(examples, folder, entries, Options(metrics=()))
    return [each.hardness or "" for each in judged]


def _folders(folder: Path, opened: Sequence[Dataset]) -> list[Path]:
    others = [each.databases for each in opened if each.databases is not None]
    return list(dict.fromkeys([folder, *others]))


def _first_answers(way: str, count: int) -> list[str]:
    """The lines of a file of SQL; none where the models' own answers are meant."""
    from luciola.specialist.study.grid import FIRST

    if way in FIRST:
        return []
    if not Path(way).is_file():
        remedy = f"first_answers is a file of SQL, or {' or '.join(FIRST)}."
        raise DataError("there is no such file", path=way, remedy=remedy)
    of = "questions of the whole file"
    found = read_predictions(Path(way), count, of, whole_lines=True)
    return [sql or "SELECT" for sql in found]
