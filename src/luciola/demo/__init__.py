"""The bundled demo: the database of an invented coffee roaster, and questions with their SQL."""

from __future__ import annotations

from pathlib import Path

from luciola.demo.database import build, is_current
from luciola.demo.pairs import HELDOUT_FILE, TRAIN_FILE, Pair, read_pairs

__all__ = [
    "HELDOUT_FILE",
    "SHOWCASE",
    "TRAIN_FILE",
    "Pair",
    "database_path",
    "heldout_pairs",
    "train_pairs",
]

SHOWCASE = (
    "How much did Castle Arcade take in December 2024?",
    "Which suppliers can send us Cerrado?",
    "Who are our 8 best customers by money spent, and how much did each of them spend?",
)
"""Questions for the end of the demo; neither trained nor held out."""


def database_path(folder: Path) -> Path:
    """The demo's database in `folder`, built there unless this edition of it already is.

    Raises: StorageError if it cannot be written.
    """
    path = folder / "coffee.db"
    return path if is_current(path) else build(path)


def train_pairs() -> list[Pair]:
    """Pairs to learn from."""
    return read_pairs(TRAIN_FILE)


def heldout_pairs() -> list[Pair]:
    """Pairs to be judged by: other wordings and other literals than those trained."""
    return read_pairs(HELDOUT_FILE)
