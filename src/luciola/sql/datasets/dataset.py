"""A data set, or one split of it, from a folder or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from luciola.data.readers.record import Record
from luciola.errors import DataError
from luciola.sql.datasets.layout import (
    KINDS,
    Split,
    database_names,
    database_places,
    file_split,
    joined,
    splits,
)
from luciola.sql.datasets.rows import question_of, read_rows, with_gold
from luciola.sql.question import Question

SPIDER = {"train_spider", "train_others", "dev", "test"}


@dataclass(frozen=True)
class Dataset:
    """One split, read.

    Args:
        name: Spider, Spider-Syn, Spider-DK, Spider-Realistic, BIRD, or pairs for one's own.
        split: the name of the split.
        path: the folder or file that was opened.
        questions: in the order of the files.
        databases: the folder with ID/ID.sqlite; None where the data set comes without.
        tables: the tables.json of these databases; None where there is none.
        gold: the file of gold queries, SQL<TAB>db_id a line; None where there is none.
        splits: the names of all splits that the folder has.
    """

    name: str
    split: str
    path: Path
    questions: tuple[Question, ...]
    databases: Path | None = None
    tables: Path | None = None
    gold: Path | None = None
    splits: tuple[str, ...] = ()

    def place(self) -> Path:
        """The folder of the databases.

        Raises: DataError where there is none, naming where it was looked for.
        """
        if self.databases is not None:
            return self.databases
        folder = self.path if self.path.is_dir() else self.path.parent
        looked = ", ".join(str(place) for place in database_places(self.split, folder))
        raise DataError(
            f"comes without databases; looked for were ID/ID.sqlite files in {looked}",
            path=self.path,
            remedy="Name their folder with --databases: Spider-Syn, -DK and -Realistic ask about "
            "Spider's databases.",
        )


def open_dataset(path: str | Path, split: str = "", *, needs_query: bool = False) -> Dataset:
    """Open a data set, recognised from what lies at `path`.

    Args:
        path: a folder, or a file of questions; `FOLDER:SPLIT` names the split as well.
        split: which part; "" where there is only one.
        needs_query: whether a question without SQL is a mistake.

    Raises: DataError naming what was looked for and where.
    """
    place, named = split_path(path)
    part, names = choose_split(place, split or named)
    rows = [row for file in part.files for row in read_rows(file)]
    known = database_names(part.databases) if part.databases else []
    only = known[0] if len(known) == 1 else ""
    gold = part.gold if not question_of(rows[0], only="?").query else None
    needed = needs_query and gold is None
    found = [question_of(row, only=only, needs_query=needed) for row in rows]
    if gold is not None:
        found = with_gold(found, gold)
    name = _name(rows[0].values, part, rows)
    places = (part.databases, part.tables, part.gold)
    return Dataset(name, part.name, place, tuple(found), *places, splits=names)


def is_dataset(text: str) -> bool:
    """Whether a text names a folder, or a folder's split: `spider` or `spider:dev`."""
    return split_path(text)[0].is_dir()


def is_bird(path: str | Path) -> bool:
    """Whether a folder, a split or a file of questions is BIRD's, by its rows: SQL and evidence."""
    try:
        part, _ = choose_split(*split_path(path))
        rows = read_rows(part.files[0]) if part.files[0].suffix in KINDS else []
    except DataError:  # told where it is read in earnest
        return False
    return bool(rows) and _name(rows[0].values, part, rows) == "BIRD"


def database_folder(place: str | Path) -> Path:
    """The folder of databases that `place` means: itself, or that of the data set that lies there.

    `spider` and `spider:dev` mean `spider/database`; what is neither is returned as it is.
    """
    folder, split = split_path(place)
    if not folder.is_dir() or (not split and database_names(folder)):
        return folder
    try:
        parts = (choose_split(folder, split)[0],) if split else splits(folder)
    except DataError:
        return folder
    found = {part.databases for part in parts if part.databases is not None}
    return found.pop() if len(found) == 1 else folder


def split_path(path: str | Path) -> tuple[Path, str]:
    """`spider:dev` as the folder and the split; anything that exists as a whole stays whole."""
    whole = Path(path).expanduser()
    folder, colon, split = str(path).rpartition(":")
    if colon and not whole.exists() and Path(folder).expanduser().is_dir():
        return Path(folder).expanduser(), split
    return whole, ""


def all_splits(folder: Path) -> tuple[Split, ...]:
    """Every file of questions as a split, for what looks at all of them once."""
    return splits(folder) if folder.is_dir() else (file_split(folder),)


def choose_split(place: Path, wanted: str) -> tuple[Split, tuple[str, ...]]:
    """The split of that name, or the only one, and the names of all.

    Raises: DataError where there is nothing, no such split, or several and none is named.
    """
    if not place.exists():
        raise DataError(
            "there is no such folder or file",
            path=place,
            remedy="Give the folder of Spider or BIRD, or a file of pairs.",
        )
    parts = all_splits(place)
    whole = joined(parts)
    known = {part.name: part for part in (*parts, *([whole] if whole else []))}
    if wanted in known:
        return known[wanted], tuple(known)
    if not wanted and len(known) == 1:
        return parts[0], tuple(known)
    listed = ", ".join(known)
    if not wanted:
        raise DataError(
            f"has several splits: {listed}", path=place, remedy=f"Name one: {place}:{parts[0].name}"
        )
    near = get_close_matches(wanted, known, n=1) or [parts[0].name]
    raise DataError(
        f"has no split {wanted!r}; it has {listed}",
        path=place,
        remedy=f"Name one of them, e.g. {place}:{near[0]}",
    )


def _name(first: Mapping[str, Any], part: Split, rows: Sequence[Record]) -> str:
    """The data set by its rows, and by its file's name where rows tell nothing."""
    stem = part.files[0].stem.lower().replace("_", "-")
    if "SpiderSynQuestion" in first:
        return "Spider-Syn"
    if "SQL" in first and any("evidence" in row.values for row in rows[:10]):
        return "BIRD"
    if "realistic" in stem:
        return "Spider-Realistic"
    if "spider-dk" in stem:
        return "Spider-DK"
    if "query_toks" in first or (part.files[0].stem in SPIDER and part.tables is not None):
        return "Spider"
    return "pairs"
