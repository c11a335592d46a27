"""Gold queries and predictions: the official text formats, JSON and JSONL; never mis-paired.

Text: gold is `SQL<TAB>db_id` a line, predictions are one SQL a line with anything after a tab
ignored. A blank line among predictions is an empty prediction, where the official evaluator would
take it for the end of an interaction. Blank lines of the gold file part interactions; they are
left out, with the blank lines that stand in the same places of the predictions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luciola.data.readers.lines import read_text
from luciola.errors import DataError

BIRD_MARK = "\t----- bird -----\t"
GOLD_NAMES = ("query", "gold", "sql", "SQL")
PREDICTION_NAMES = ("prediction", "predicted", "pred", "sql", "SQL", "query", "answer")


@dataclass(frozen=True)
class Gold:
    """A gold query and the database it is for.

    Args:
        difficulty: the data set's own word, or "".
        line: of its file, from 1; of a JSON list the place in it.
    """

    query: str
    db_id: str
    difficulty: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Example:
    """A gold query, the database it is for, and what was predicted; the rest as in `Gold`."""

    gold: str
    db_id: str
    predicted: str
    difficulty: str = ""
    line: int = field(default=0, compare=False)


def read_examples(gold: Path, predictions: Path) -> list[Example]:
    """The pairs in the order of the gold file.

    Raises: DataError where a file cannot be read, or there are not as many predictions.
    """
    return paired(_gold_rows(gold), predictions, gold)


def paired(wanted: Sequence[Gold | None], predictions: Path, gold: Path | str) -> list[Example]:
    """Gold queries with their databases, each with its prediction; None parts interactions.

    Raises: DataError as `read_examples`; `gold` says there where the queries are from.
    """
    if not any(wanted):
        raise DataError("holds no gold query", path=gold)
    found = read_predictions(predictions, len(wanted), f"lines of {gold}")
    pairs = zip(wanted, found, strict=True)
    examples = [
        Example(row.query, row.db_id, predicted, row.difficulty, row.line)
        for row, predicted in pairs
        if row is not None
    ]
    _check_separators(wanted, found, predictions)
    return examples


def _check_separators(wanted: Sequence[Gold | None], found: list[str], predictions: Path) -> None:
    for line, (row, predicted) in enumerate(zip(wanted, found, strict=True), 1):
        if row is None and predicted:
            raise DataError(
                "is a prediction where the gold file has a blank line",
                path=predictions,
                line=line,
                remedy="Write a blank line there, or take it out of the gold file.",
            )


def _gold_rows(path: Path) -> list[Gold | None]:
    if path.suffix in (".json", ".jsonl"):
        return [_gold_row(row, path, number) for number, row in _json_rows(path)]
    lines = enumerate(_lines(path), 1)
    rows_of_text = [_gold_line(text, path, line) for line, text in lines]
    while rows_of_text and rows_of_text[-1] is None:
        rows_of_text.pop()
    return rows_of_text


def _gold_row(row: Any, path: Path, line: int) -> Gold:
    difficulty = row.get("difficulty") if isinstance(row, dict) else None
    word = difficulty.strip() if isinstance(difficulty, str) else ""
    return Gold(_text(row, GOLD_NAMES, path, line), _db(row, path, line), word, line)


def _gold_line(text: str, path: Path, line: int) -> Gold | None:
    if not text.strip():
        return None
    sql, tab, db_id = text.strip().partition("\t")
    if not tab or not db_id.strip():
        raise DataError(
            "has no tab with the database's name after the SQL",
            path=path,
            line=line,
            remedy="A gold file holds SQL<TAB>db_id a line.",
        )
    return Gold(sql, db_id.split("\t")[0].strip(), line=line)


def read_predictions(
    path: Path, count: int, of: str, *, first: int = 0, whole_lines: bool = False
) -> list[str]:
    """So many predictions: one SQL a line, "" where a line is blank, or JSON rows.

    Args:
        path: text, whose lines may go on behind a tab, .json or .jsonl.
        count: how many there must be; blank lines at the end do not count.
        of: what they answer, for the message.
        first: only so many are wanted, and the file may have more; 0: all are.
        whole_lines: a line of text goes on behind a tab, as DAIL-SQL reads first answers; else it
            ends there, as Spider's evaluator reads predictions.

    Raises: DataError where the file cannot be read, or has another number.
    """
    found = _predictions(path, whole_lines)[: first or None]
    if not any(found[count:]):
        found = found[:count]
    if len(found) != count:
        raise DataError(
            f"has {len(found)} predictions for {count} {of}",
            path=path,
            remedy="Write one SQL a line in their order, and an empty line where there is none.",
        )
    return found


def _predictions(path: Path, whole_lines: bool) -> list[str]:
    if path.suffix not in (".json", ".jsonl"):
        lines = [line.strip() for line in _lines(path)]
        return lines if whole_lines else [line.split("\t")[0] for line in lines]
    rows = _json_rows(path)
    texts = [(row, _text(row, PREDICTION_NAMES, path, i)) for i, row in rows]
    if all(isinstance(row, dict) and isinstance(row.get("index"), int) for row, _ in texts):
        return _by_index([(row["index"], text) for row, text in texts], path)
    return [text for _, text in texts]


def _by_index(rows: list[tuple[int, str]], path: Path) -> list[str]:
    """In the order of `index`, which must count from 0 (or 1) without gap or repetition."""
    ordered = sorted(rows)
    first = ordered[0][0] if ordered else 0
    for expected, (index, _) in enumerate(ordered, first):
        if index != expected or first not in (0, 1):
            raise DataError(
                f"index {index} stands where {expected} should",
                path=path,
                remedy="Number the predictions from 0, each once, or leave `index` out.",
            )
    return [text for _, text in ordered]


def _lines(path: Path) -> list[str]:
    lines = read_text(path).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _json_rows(path: Path) -> list[tuple[int, Any]]:
    lines = _lines(path)
    if path.suffix == ".json":
        rows = _json("\n".join(lines), path, None)
        if isinstance(rows, dict) and rows and all(name.isdecimal() for name in rows):
            rows = _of_bird(rows)
        if not isinstance(rows, list):
            raise DataError("is no JSON list", path=path)
        return list(enumerate(rows, 1))
    return [(i, _json(line, path, i)) for i, line in enumerate(lines, 1) if line.strip()]


def _of_bird(rows: dict[str, Any]) -> list[Any]:
    """BIRD's form, `{"0": "SQL<TAB>----- bird -----<TAB>db_id"}`, as rows with an index."""
    return [
        {"index": int(name), "sql": text.split(BIRD_MARK)[0]} if isinstance(text, str) else text
        for name, text in rows.items()
    ]


def _json(text: str, path: Path, line: int | None) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"is no JSON: {error}", path=path, line=line) from error


def _text(row: Any, names: tuple[str, ...], path: Path, line: int) -> str:
    if isinstance(row, str):
        return row.strip()
    for name in names:
        if isinstance(row, dict) and isinstance(row.get(name), str):
            return str(row[name]).strip()
    raise DataError(f"has none of the texts {', '.join(names)}", path=path, line=line)


def _db(row: Any, path: Path, line: int) -> str:
    if isinstance(row, dict) and isinstance(row.get("db_id"), str):
        return str(row["db_id"])
    raise DataError("has no db_id", path=path, line=line)
