"""Where the files of a data set lie: its splits, their databases and their tables.json.

Spider            train_spider.json + train_others.json, dev.json with database, tables.json;
                  test.json with test_database, test_tables.json
BIRD              train/train.json, dev_20240627/dev.json with SPLIT_databases and
                  SPLIT_tables.json beside them
Spider-Syn        train_spider.json, dev.json; databases and schemas are Spider's
Spider-DK         Spider-DK.json, tables.json; three databases more than Spider's
Spider-Realistic  spider-realistic.json; databases and schemas are Spider's
one's own         any .json, .jsonl or .csv; database/ID/ID.sqlite, or files beside
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DataError

KINDS = (".json", ".jsonl", ".csv")
PEEKED = 65_536
"""Bytes of a file that are looked at to tell whether it holds questions."""
DEPTH = 2
"""Folders below the one given in which questions are looked for."""
TRAIN = ("train_spider", "train_others")
"""Spider's training part is these two, in this order."""
FIELD = re.compile(rb"""(?:^|[,"'{\s])(?:question|SpiderSynQuestion)["',\r\n]""")
WRITTEN = re.compile(rb"""(?<!\\)"(?:prompt|predicted)":""")
QUERY = re.compile(rb"""(?<!\\)"(?:query|SQL|sql)"\s*:""")
"""Rows with the first and without the second were written by `sql prompts` or `sql eval --out`."""
SKIPPED = re.compile(r"database|^__|^\.")


@dataclass(frozen=True)
class Split:
    """One part of a data set; `databases`, `tables` and `gold` are None where there are none."""

    name: str
    files: tuple[Path, ...]
    databases: Path | None
    tables: Path | None
    gold: Path | None


def splits(folder: Path) -> tuple[Split, ...]:
    """The splits of a folder, each file one, in the order of their names.

    Raises: DataError where it holds no questions.
    """
    files = _question_files(folder)
    if not files:
        raise DataError(
            "holds no file with questions",
            path=folder,
            remedy="Looked for were .json, .jsonl and .csv files whose rows have a question, here "
            "and two folders deep; Spider's dev.json, BIRD's dev/dev.json, or one's own.",
        )
    stems = [file.stem for file in files]
    names = [f"{f.parent.name}/{f.stem}" if stems.count(f.stem) > 1 else f.stem for f in files]
    return tuple(_split(name, (file,), folder) for name, file in zip(names, files, strict=True))


def joined(parts: tuple[Split, ...]) -> Split | None:
    """Spider's training part as one split, where it lies in two files."""
    named = {part.name: part for part in parts}
    if "train" in named or not all(name in named for name in TRAIN):
        return None
    first, second = (named[name] for name in TRAIN)
    gold = first.files[0].with_name("train_gold.sql")
    return Split(
        "train",
        first.files + second.files,
        first.databases,
        first.tables,
        gold if gold.is_file() else None,
    )


def file_split(file: Path) -> Split:
    """A single file of questions as a split of the folder it lies in."""
    return _split(file.stem, (file,), file.parent)


def database_names(folder: Path) -> list[str]:
    """The names of the databases below `folder`: ID/ID.sqlite or ID.sqlite."""
    inside = [file.stem for file in folder.glob("*/*.sqlite") if file.stem == file.parent.name]
    return sorted({*inside, *(file.stem for file in folder.glob("*.sqlite"))})


def _question_files(folder: Path) -> list[Path]:
    """Those of the nearest level that holds any."""
    level = [folder]
    for _ in range(DEPTH + 1):
        found = sorted(file for place in level for file in place.iterdir() if _asks(file))
        if found:
            return found
        level = [
            inside
            for place in level
            for inside in sorted(place.iterdir())
            if inside.is_dir() and not SKIPPED.search(inside.name)
        ]
    return []


def _asks(file: Path) -> bool:
    """Whether a file's beginning has questions that we did not write; what cannot be read is told
    later.
    """
    if file.suffix not in KINDS or file.name.endswith("tables.json") or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            beginning = opened.read(PEEKED)
    except OSError:
        return True
    written = WRITTEN.search(beginning) and not QUERY.search(beginning)
    return not written and FIELD.search(beginning) is not None


def _split(name: str, files: tuple[Path, ...], root: Path) -> Split:
    stem, folder = files[0].stem, files[0].parent
    places = list(dict.fromkeys((folder, root)))
    golds = (folder / f"{stem}_gold.sql", folder / f"{stem}.sql")
    return Split(
        name,
        files,
        next(_databases(stem, places), None),
        next(_tables(stem, places), None),
        next((file for file in golds if file.is_file()), None),
    )


def database_places(stem: str, folder: Path) -> list[Path]:
    """Where the databases of a split may lie, the likeliest first."""
    named = [f"{stem}_databases", f"{stem}_database", "database", "databases"]
    others = sorted(place for place in folder.glob("*_databases") if place.is_dir())
    only = others if len(others) == 1 else []
    return [*(folder / name for name in named), *only, folder]


def _databases(stem: str, places: list[Path]) -> Iterator[Path]:
    for folder in places:
        for place in database_places(stem, folder):
            for possible in (place, place / place.name):  # an archive unpacked into its own name
                if possible.is_dir() and database_names(possible):
                    yield possible


def _tables(stem: str, places: list[Path]) -> Iterator[Path]:
    for folder in places:
        named = [folder / f"{stem}_tables.json", folder / "tables.json"]
        others = sorted(folder.glob("*_tables.json"))
        yield from (file for file in named if file.is_file())
        yield from others if len(others) == 1 else []
