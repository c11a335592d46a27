"""The bundled demo: the database of an invented coffee roaster, and questions with their SQL."""

from __future__ import annotations

from pathlib import Path

from luciola.demo.database import build, is_current
from luciola.demo.pairs import HELDOUT_FILE, TRAIN_FILE, Pair, read_pairs
from luciola.errors import ConfigError
from luciola.runs.atomic import is_leftover
from luciola.runs.outputs import check_folder

__all__ = [
    "HELDOUT_FILE",
    "SHOWCASE",
    "TRAIN_FILE",
    "Pair",
    "check_demo_folder",
    "database_path",
    "heldout_pairs",
    "train_pairs",
]

DATABASE = "coffee.db"
SHOWCASE = (
    "How much did Castle Arcade take in December 2024?",
    "Which suppliers can send us Cerrado?",
    "Who are our 8 best customers by money spent, and how much did each of them spend?",
)
"""Questions for the end of the demo; neither trained nor held out."""


def check_demo_folder(folder: Path) -> None:
    """Whether the demo may write into a folder: a new or empty one, or one of its own.

    Its own is known by the database, which is built first, whole, and carries its edition.

    Raises: ConfigError where the folder holds something else; StorageError where it cannot be
        written.
    """
    check_folder(folder, inputs={})
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, not a folder")
    found = [path for path in folder.iterdir() if not is_leftover(path)] if folder.is_dir() else []
    if found and not is_current(folder / DATABASE):
        raise ConfigError(
            f"{folder} is not empty and holds no demo (it has {found[0].name!r})",
            remedy="Choose a new folder with --out; nothing in this one was touched.",
        )


def database_path(folder: Path) -> Path:
    """The demo's database in `folder`, built there unless this edition of it already is.

    Raises: StorageError if it cannot be written.
    """
    path = folder / DATABASE
    return path if is_current(path) else build(path)


def train_pairs() -> list[Pair]:
    """Pairs to learn from."""
    return read_pairs(TRAIN_FILE)


def heldout_pairs() -> list[Pair]:
    """Pairs to be judged by: other wordings and other literals than those trained."""
    return read_pairs(HELDOUT_FILE)
