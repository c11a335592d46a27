"""Files that commands write: looked at before the work begins, written whole after it."""

from __future__ import annotations

import os
from pathlib import Path

from luciola.errors import StorageError


def check_places(*paths: str) -> None:
    """Make the folders of files that will be written; "" is none.

    Raises: StorageError where a file cannot be written there, so that no work is lost to it.
    """
    for path in filter(None, paths):
        place = Path(path)
        if place.is_dir():
            raise StorageError(f"{path} is a folder", remedy="Name a file in it.")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error.strerror) from error
        if not os.access(place if place.exists() else place.parent, os.W_OK):
            raise _unwritable(path, "permission denied")


def write_whole(path: str, text: str) -> None:
    """Write a file whole, or leave what was there; a pipe, a device or a link is written into.

    Raises: StorageError.
    """
    from luciola.runs.atomic import write_atomically

    check_places(path)
    place = Path(path)
    try:
        if place.is_symlink() or (place.exists() and not place.is_file()):
            place.write_text(text, encoding="utf-8")  # /dev/stdout must stay what it is
        else:
            write_atomically(place, text)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def _unwritable(path: str, reason: str | None) -> StorageError:
    said = (reason or "no reason given").lower()
    return StorageError(f"{path} cannot be written: {said}", remedy="Name another file.")
