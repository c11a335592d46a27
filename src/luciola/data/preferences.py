"""Files, folders and hub data sets of preferences: what a reward model and DPO learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from luciola.data.comparison import departs, read_comparison
from luciola.data.readers.dropped import Counter, Dropped
from luciola.data.readers.hub import SCHEME, hub_rows
from luciola.data.readers.record import Record, UnsupportedError
from luciola.data.readers.source import check_exists, data_files, rows_of_file
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.types import Preference


@dataclass(frozen=True)
class Preferences:
    """Preferences as read.

    Args:
        preferences: all that compare different answers, in order.
        format: what the rows were recognised as, for people.
        path: what was read.
        ties: rows left out because their answers are all the same.
        dropped: what rows hold that is not trained as what it is.
    """

    preferences: tuple[Preference, ...]
    format: str
    path: str
    ties: int = 0
    dropped: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        return len(self.preferences)

    def text(self) -> str:
        """One line for people."""
        left_out = f"; left out {self.ties:,} whose answers are all the same" if self.ties else ""
        return f"{self.path}: {counted(len(self), 'comparison')}, {self.format}{left_out}"


def read_preferences(source: str) -> Preferences:
    """All preferences of a file (JSONL, JSON, CSV, Parquet), a folder of these, or
    hub:NAME[:SPLIT].

    Raises:
        DataError: the source is missing or empty, or a row cannot be used; named by file and line.
        MissingExtraError: an optional package is needed.
    """
    found: list[Preference] = []
    ties = 0
    shapes: list[str] = []
    seen = Counter()
    for record, is_first in _records(source):
        seen.see(record.values, record.origin)
        try:
            preference, shape = read_comparison(record)
        except UnsupportedError as error:
            seen.leave_out(error)
            continue
        if is_first and shape not in shapes:
            shapes.append(shape)
        if shape not in shapes:
            raise departs(shapes[-1], shape, record)
        kept = _without_repeats(preference)
        ties += kept is None
        found += [kept] if kept else []
    seen.check_some_left(source, len(found) + ties)
    if not found:
        why = f"all {ties:,} rows compare equal answers" if ties else "it has no rows"
        raise DataError(f"the data set is empty: {why}", path=source)
    shape = f"{', '.join(shapes)} (preferences)"
    return Preferences(tuple(found), shape, source, ties, seen.found())


def _records(source: str) -> Iterator[tuple[Record, bool]]:
    """Every row, and whether it is the first of its file."""
    if source.startswith(SCHEME):
        yield from _marked(_sound(hub_rows(source)))
        return
    path = check_exists(source)
    files = data_files(path) if path.is_dir() else [path]
    if not files:
        raise DataError("the folder has no data file", path=path)
    for file in files:
        yield from _marked(rows_of_file(str(file)))


def _sound(rows: Iterator[Record | DataError]) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, DataError):
            raise row
        yield row


def _marked(rows: Iterator[Record]) -> Iterator[tuple[Record, bool]]:
    return ((record, number == 0) for number, record in enumerate(rows))


def _without_repeats(preference: Preference) -> Preference | None:
    """A ranked list with each answer once, at its best place; None where one is left."""
    answers = tuple(dict.fromkeys(preference.answers))
    if len(answers) < 2:
        return None
    return Preference(preference.prompt, answers, preference.origin, preference.margin)
