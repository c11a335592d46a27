"""What came of a point, and the file that keeps it: `points/KEY.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luciola.config.study import StudyConfig
from luciola.runs.atomic import write_atomically
from luciola.specialist.study.grid import Point
from luciola.specialist.study.material import Material
from luciola.sql.official.evaluate import Judged
from luciola.sql.official.report import interval

VERSION = 2
"""Raised when answers are read or judged otherwise than before."""
VERDICTS = ("em", "ex", "valid")
TIMEOUT_S = 5.0
"""The usual limit of a query; it is no part of a point's address, so that older results count."""


@dataclass(frozen=True)
class Result:
    """One point, asked and judged.

    Args:
        point: how it was asked.
        judged: the verdicts, in the order of the questions.
        sqls: the SQL that was judged.
        prompt_tokens, answer_tokens: per question; None where the server counts none.
        examples: shown per question; fewer than shots where the context was too short.
        seconds: per question, of those that were asked in one go; None: all came from the cache.
        cost: of all questions, as if none had come from the cache.
        failed: questions without an answer, which are wrong.
        cut: questions of which an answer was cut off at its most tokens.
        thoughts: questions whose answers hold thoughts and no SQL.
    """

    point: Point
    judged: tuple[Judged, ...]
    sqls: tuple[str, ...]
    prompt_tokens: float | None
    answer_tokens: float | None
    examples: float
    seconds: float | None
    cost: float
    failed: int = 0
    cut: int = 0
    thoughts: int = 0

    @property
    def unreadable(self) -> int:
        """Questions without a verdict because their database could not be read."""
        return sum(each.is_unreadable for each in self.judged)

    def verdicts(self, name: str) -> list[bool | None]:
        """em, ex or valid of each question; None where gold fails or it was not judged."""
        return [getattr(each, name) for each in self.judged]

    def share(self, name: str) -> float | None:
        """Of the questions that were judged, 0 to 1."""
        return share(self.judged, name)

    def interval(self, name: str) -> tuple[float, float] | None:
        """95 % interval of the share, after Wilson."""
        found = interval(self.judged, name)
        return None if found is None else (found[0], found[1])

    def by_level(self, name: str) -> dict[str, float | None]:
        """The share of each level of hardness that occurs."""
        levels = dict.fromkeys(each.hardness for each in self.judged if each.hardness)
        return {
            level: share([each for each in self.judged if each.hardness == level], name)
            for level in levels
        }


def share(judged: Sequence[Judged], name: str) -> float | None:
    """The share of `name` among those judged; None where there is none."""
    values = [getattr(each, name) for each in judged if getattr(each, name) is not None]
    return sum(values) / len(values) if values else None


def key_of(point: Point, config: StudyConfig, material: Material, identity: str) -> str:
    """The name of a point's file: a hash of all that decides its result, wherever that lies.

    Args:
        identity: what tells the model from every other, and from itself after further training.
    """
    decides = {
        "version": VERSION,
        "point": {key: value for key, value in point.values.items() if key != "model"},
        "model": identity,
        "questions": [[q.db_id, q.question, q.query] for q in material.questions],
        "databases": material.contents,
        "tables": material.listed,
        "metrics": material.metrics,
        "original": config.original,
        "max_tokens": config.max_tokens,
        "temperature": config.temperature if point.votes == 1 else config.vote_temperature,
        "seed": config.seed,
    }
    if config.timeout != TIMEOUT_S:  # a query that ran out of time may be right with more of it
        decides["timeout"] = config.timeout
    if point.shots:
        decides["pool"] = [[q.db_id, q.question, q.query] for q in material.pool]
        decides["pool databases"] = material.pool_contents
        decides["similarity"] = [config.similarity, config.threshold, config.cross_domain]
        if material.num_in_pool and not config.allow_self:
            decides["allow_self"] = False  # results from before it could be chosen had it true
        decides["first"] = [config.first_answers, material.first]
    text = json.dumps(decides, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_result(path: Path, result: Result) -> None:
    """Keep a result; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(as_json(result), ensure_ascii=False, indent=1) + "\n")


def is_outdated(path: Path) -> bool:
    """Whether a file keeps a result of an earlier version, which is no longer looked for."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(row, dict) and "point" in row and row.get("version", 1) < VERSION


def read_result(path: Path) -> Result | None:
    """What a file keeps; None where there is none, or it is broken and has to be made anew."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return _result(row)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def as_json(result: Result) -> dict[str, Any]:
    """Everything, with shares and intervals, as JSON knows it."""
    pairs = zip(result.judged, result.sqls, strict=True)
    return {
        "version": VERSION,
        "point": result.point.values,
        "way": result.point.way,
        "count": len(result.judged),
        **{name: result.share(name) for name in VERDICTS},
        "intervals": {name: result.interval(name) for name in VERDICTS},
        "by_hardness": {"em": result.by_level("em"), "ex": result.by_level("ex")},
        "prompt_tokens": result.prompt_tokens,
        "answer_tokens": result.answer_tokens,
        "examples_shown": result.examples,
        "seconds": result.seconds,
        "cost": result.cost,
        "failed": result.failed,
        "cut": result.cut,
        "thoughts": result.thoughts,
        "answers": [_answer(each, sql) for each, sql in pairs],
    }


def _answer(judged: Judged, sql: str) -> dict[str, Any]:
    verdicts = {name: getattr(judged, name) for name in ("db_id", "hardness", *VERDICTS)}
    return {"index": judged.index, **verdicts, "errors": dict(judged.errors), "sql": sql}


def _result(row: Mapping[str, Any]) -> Result:
    answers = [dict(answer) for answer in row["answers"]]
    sqls = tuple(str(answer.pop("sql")) for answer in answers)
    return Result(
        Point(**row["point"]),
        tuple(Judged(**answer) for answer in answers),
        sqls,
        row["prompt_tokens"],
        row["answer_tokens"],
        row["examples_shown"],
        row["seconds"],
        row["cost"],
        row["failed"],
        row["cut"],
        row["thoughts"],
    )
