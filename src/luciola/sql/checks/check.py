"""All checks of a data set, in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError, DataError
from luciola.sql.checks.contents import Contents, contents_findings, read_contents
from luciola.sql.checks.finding import Finding
from luciola.sql.checks.queries import Progress, query_findings
from luciola.sql.checks.questions import Part, gold_files, read_part, shared_questions
from luciola.sql.checks.schemas import entry_findings, style_findings
from luciola.sql.dail.databases import Databases
from luciola.sql.datasets.dataset import all_splits, choose_split, split_path
from luciola.sql.datasets.layout import Split
from luciola.sql.datasets.rows import read_rows
from luciola.sql.listing import Entry, read_listing


@dataclass(frozen=True)
class Checked:
    """What came of it.

    Args:
        path: the data set.
        splits: the number of questions of each.
        databases: how many were read.
        findings: in the order of the checks.
    """

    path: Path | str
    splits: Mapping[str, int]
    databases: int
    findings: tuple[Finding, ...]

    @property
    def is_broken(self) -> bool:
        """Whether anything is worse than a warning."""
        return any(finding.level == "broken" for finding in self.findings)


def check_dataset(
    path: str | Path,
    *,
    databases: str = "",
    tables: str = "",
    timeout_s: float = 5.0,
    workers: int = 2,
    progress: Progress = lambda done, total: None,
) -> Checked:
    """Check the questions, gold queries, databases and tables.json of a data set.

    Args:
        path: the folder, one of its splits (`spider:dev`), or a file of questions.
        databases, tables: where these lie, instead of where the data set has them.
        timeout_s: seconds that one query may run.
        workers: queries that run at the same time.
        progress: is told how many queries were run, and of how many.

    Raises: DataError where there are no questions, databases or readable tables.json.
    """
    folder, splits = _splits(path, databases, tables)
    read = [read_part(split) for split in splits]
    parts = [part for part, _ in read]
    found = [finding for _, findings in read for finding in findings]
    listings = _listings(splits)
    contents, missing = _contents(parts)
    files = {key: file for key, (file, _) in contents.items()}
    found += [*gold_files(parts), *shared_questions(parts), *missing]
    once = {file: (key, each) for key, (file, each) in contents.items()}
    found += style_findings([each for _, each in once.values()])
    for (split, db_id), each in once.values():
        listing = listings.get(split)
        found += contents_findings(each)
        found += entry_findings(each, listing.get(db_id)) if listing is not None else []
    found += query_findings(parts, files, timeout_s=timeout_s, workers=workers, progress=progress)
    sizes = {part.name: len(part.questions) for part in parts}
    return Checked(folder, sizes, len(once), tuple(found))


def _splits(path: str | Path, databases: str, tables: str) -> tuple[Path, tuple[Split, ...]]:
    """Raises: DataError where a split that is named is not there, or none has databases."""
    folder, named = split_path(path)
    if named or not folder.exists():
        splits: tuple[Split, ...] = (choose_split(folder, named)[0],)
    else:
        splits = all_splits(folder)
    splits = tuple(_placed(split, databases, tables) for split in splits)
    if not any(split.databases for split in splits):
        for file in (file for split in splits for file in split.files):
            read_rows(file)  # what holds no questions is told first
        raise DataError(
            "comes without databases", path=folder, remedy="Name their folder with --databases."
        )
    return folder, splits


def _placed(split: Split, databases: str, tables: str) -> Split:
    return Split(
        split.name,
        split.files,
        Path(databases) if databases else split.databases,
        Path(tables) if tables else split.tables,
        split.gold,
    )


def _listings(splits: Sequence[Split]) -> dict[str, Mapping[str, Entry]]:
    """The entries of tables.json for each split that has one, read once.

    Raises: DataError where it is none.
    """
    files = {split.tables for split in splits if split.tables is not None}
    read = {file: read_listing(file) for file in files}
    return {split.name: read[split.tables] for split in splits if split.tables is not None}


def _contents(
    parts: Sequence[Part],
) -> tuple[dict[tuple[str, str], tuple[Path, Contents]], list[Finding]]:
    """The databases that questions name, by split and name; and what is wrong with the others."""
    found: dict[tuple[str, str], tuple[Path, Contents]] = {}
    read: dict[Path, Contents] = {}
    problems: dict[str, Finding] = {}
    for part in parts:
        for db_id, count in _asked(part):
            try:
                file = Databases(part.split.databases or ()).file(db_id)
            except DatabaseError:
                where = part.split.databases or "any folder"
                said = f"{count:,} questions of {part.name} name it, and it is not in {where}"
                problems[f"{part.name} {db_id}"] = Finding("unknown database", db_id, said)
                continue
            try:
                read[file] = read[file] if file in read else read_contents(db_id, file)
            except DatabaseError as error:
                problems[str(file)] = Finding("unreadable database", db_id, error.message)
            else:
                found[part.name, db_id] = (file, read[file])
    return found, list(problems.values())


def _asked(part: Part) -> Iterator[tuple[str, int]]:
    names = [asked.db_id for asked in part.questions]
    for name in dict.fromkeys(names):
        yield name, names.count(name)
