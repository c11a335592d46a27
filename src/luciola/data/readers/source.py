"""What `data=` names, as examples: one file, a folder of files, or a data set on the hub."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from luciola.data.readers.dropped import Counter, Dropped, merged
from luciola.data.readers.hub import SCHEME, hub_rows
from luciola.data.readers.lines import json_rows
from luciola.data.readers.recognition import departure, find_format, recognise
from luciola.data.readers.record import Format, FormatError, Record, UnsupportedError
from luciola.data.readers.tables import csv_rows, parquet_rows
from luciola.errors import DataError
from luciola.types import Example

Rows = Iterator[Record | DataError]
Report = Callable[[DataError], None]

FILES: dict[str, Callable[[Path], Rows]] = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}


@dataclass(frozen=True)
class Dataset:
    """Examples as read.

    Args:
        examples: all rows, in order.
        format: what the rows were recognised as, for people.
        path: what was read.
        skipped: one error for each row that could not be read; empty unless `scan` made this.
        dropped: what rows hold that is not trained as what it is.
    """

    examples: tuple[Example, ...]
    format: str
    path: str
    skipped: tuple[DataError, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)


def read(source: str) -> Dataset:
    """All examples of a file (JSONL, JSON, CSV, Parquet), a folder of these, or hub:NAME[:SPLIT].

    Raises:
        DataError: the source is missing, empty or in no known format, or a row cannot be used; the
            first one is named by file and line.
        MissingExtraError: an optional package is needed.
    """
    return _read(source, _raise)


def scan(source: str) -> Dataset:
    """As `read`, but rows that cannot be used are skipped, and their errors listed.

    Raises: DataError if the source is missing, empty or in no known format, or cannot be read on.
    """
    skipped: list[DataError] = []
    found = _read(source, skipped.append)
    return replace(found, skipped=tuple(skipped))


def _raise(error: DataError) -> None:
    raise error


def _read(source: str, report: Report) -> Dataset:
    if source.startswith(SCHEME):
        return _dataset(source, hub_rows(source), report)
    path = check_exists(source)
    if path.is_dir():
        return _folder(path, report)
    return _file(path, report)


def check_exists(source: str) -> Path:
    """The path of a source that is not on the hub.

    Raises: DataError if nothing is there, with the name that may have been meant.
    """
    path = Path(source).expanduser()
    if not source.startswith(SCHEME) and not path.exists():
        raise _missing(source, path)
    return path


def rows_of_file(source: str) -> Iterator[Record]:
    """The rows of one file as they stand, for data that are no chats (pairs of question and SQL).

    Raises: DataError if the file is missing, of no known kind, or a row cannot be read.
    """
    for row in _rows(check_exists(source)):
        if isinstance(row, DataError):
            raise row
        yield row


def _rows(path: Path) -> Rows:
    if path.is_dir():
        raise DataError("is a folder, and a file is wanted", path=path, remedy="Name a file in it.")
    rows = FILES.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if rows is None or (path.suffix == ".gz" and rows is not json_rows):
        raise DataError(
            "the kind of file is not known by its name",
            path=path,
            remedy=f"Name it {', '.join(FILES)}, .jsonl.gz or .json.gz, whichever it is.",
        )
    try:
        yield from rows(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path=path) from error


def _file(path: Path, report: Report) -> Dataset:
    return _dataset(str(path), _rows(path), report)


def _dataset(path: str, rows: Rows, report: Report) -> Dataset:
    """The rows as examples, all in the format of the first one."""
    examples: list[Example] = []
    form: Format | None = None
    seen = 0
    dropped = Counter()
    for row in rows:
        seen += 1
        try:
            if isinstance(row, DataError):
                raise row
            dropped.see(row.values, row.origin)
            form = form or recognise(row)
            examples.append(_example(row, form))
        except FormatError:
            raise
        except UnsupportedError as error:
            dropped.leave_out(error)
        except DataError as error:
            report(error)
    if not seen:
        raise DataError("the data set is empty: it has no rows", path=path)
    dropped.check_some_left(path, len(examples))
    name = form.name if form else "unknown"
    return Dataset(tuple(examples), name, path, dropped=dropped.found())


def _example(row: Record, form: Format) -> Example:
    if not form.fits(row.values) and find_format(row.values):
        raise departure(row, form)
    return form.example(row)  # says itself what it misses


def _folder(path: Path, report: Report) -> Dataset:
    """Every data file below a folder, by name; hidden ones are passed over."""
    parts = [_file(file, report) for file in data_files(path)]
    if not parts:
        raise DataError(
            "the folder has no data file", path=path, remedy=f"Files are {', '.join(FILES)}."
        )
    formats = Tally(part.format for part in parts)
    names = [f"{name} ({count} file{'s' * (count > 1)})" for name, count in formats.items()]
    examples = tuple(example for part in parts for example in part.examples)
    dropped = merged(each for part in parts for each in part.dropped)
    return Dataset(examples, ", ".join(names), str(path), dropped=dropped)


def data_files(folder: Path) -> list[Path]:
    """The data files below a folder, sorted by path."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and Path(file.name.removesuffix(".gz")).suffix.lower() in FILES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _missing(source: str, path: Path) -> DataError:
    """The error for a path that does not exist, with the name that may have been meant."""
    if not path.parent.is_dir():
        return DataError(
            f"no such file: its folder {path.parent} does not exist either",
            path=source,
            remedy=f"For a data set on the hub write hub:{source}."
            if source.count("/") == 1
            else None,
        )
    near = _near(path)
    remedy = f"Did you mean {near}?" if near else "Check the name and the folder."
    return DataError("no such file or folder", path=source, remedy=remedy)


def _near(path: Path) -> Path | None:
    """What is beside `path` under almost its name; the ending alone makes no likeness."""
    by_stem = {entry.name.split(".")[0]: entry for entry in path.parent.iterdir()}
    names = get_close_matches(path.name.split(".")[0], by_stem, n=1)
    return by_stem[names[0]] if names else None
