"""Questions of all splits: which rows are none, which gold files disagree, what splits share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from luciola.errors import DataError
from luciola.sql.checks.finding import Finding
from luciola.sql.datasets.layout import Split, database_names, joined
from luciola.sql.datasets.rows import gold_lines, question_of, read_rows
from luciola.sql.question import Question


@dataclass(frozen=True)
class Part:
    """A split with its questions, and the places that were chosen for it."""

    split: Split
    questions: tuple[Question, ...]

    @property
    def name(self) -> str:
        return self.split.name


def read_part(split: Split) -> tuple[Part, list[Finding]]:
    """The questions of a split that can be read, and those that cannot."""
    known = database_names(split.databases) if split.databases else []
    only = known[0] if len(known) == 1 else ""
    golden = split.gold is not None
    found: list[Question] = []
    problems: list[Finding] = []
    for file in split.files:
        try:
            rows = read_rows(file)
        except DataError as error:
            problems.append(_broken(str(file), error))
            continue
        for row in rows:
            try:
                found.append(question_of(row, only=only, needs_query=not golden))
            except DataError as error:
                problems.append(_broken(str(row.origin), error))
    return Part(split, tuple(found)), problems


def _broken(place: str, error: DataError) -> Finding:
    """What is wrong there, with the place said once."""
    return Finding("rows", place, error.message.removeprefix(f"{place}: "))


def gold_files(parts: Sequence[Part]) -> Iterator[Finding]:
    """Gold files with another number of lines than questions, or other databases."""
    by_name = {part.name: part for part in parts}
    whole = joined(tuple(part.split for part in parts))
    if whole is not None and whole.gold is not None:
        both = by_name["train_spider"].questions + by_name["train_others"].questions
        yield from _gold_file(whole.gold, whole.name, both)
    for part in parts:
        if part.split.gold is not None:
            yield from _gold_file(part.split.gold, part.name, part.questions)


def _gold_file(path: Path, name: str, questions: Sequence[Question]) -> Iterator[Finding]:
    try:
        lines = gold_lines(path)
    except DataError as error:
        yield Finding("gold file", str(path), error.message)
        return
    if len(lines) != len(questions):
        said = f"{len(lines):,} queries, and {name} has {len(questions):,} questions"
        yield Finding("gold file", str(path), said)
        return
    pairs = zip(lines, questions, strict=True)
    for number, ((sql, db_id), asked) in enumerate(pairs, 1):
        if (db_id or asked.db_id) != asked.db_id:
            said = f"line {number} names {db_id}, and {asked.origin} names {asked.db_id}"
            yield Finding("gold file", str(path), said)
            return
        if asked.query and sql.split() != asked.query.split():
            said = f"line {number} has another query than {asked.origin}"
            yield Finding("gold file", str(path), said)
            return


def shared_questions(parts: Sequence[Part]) -> Iterator[Finding]:
    """Pairs of splits in which the same question stands, word by word but for case and blanks."""
    for one, other in combinations(parts, 2):
        texts, with_database = _words(one), _asked(one)
        same = sum(" ".join(q.question.lower().split()) in texts for q in other.questions)
        exact = len(with_database & _asked(other))
        if same:
            said = f"{same:,} questions of {other.name} stand in {one.name} word by word, "
            said += f"{exact:,} of them about the same database"
            yield Finding("duplicates", f"{one.name} and {other.name}", said)


def _words(part: Part) -> set[str]:
    return {" ".join(asked.question.lower().split()) for asked in part.questions}


def _asked(part: Part) -> set[tuple[str, str]]:
    return {(q.db_id, " ".join(q.question.lower().split())) for q in part.questions}
