"""Files and folders that appear whole or not at all, whatever is killed or full in between.

Everything is written beside its final place, flushed to the disk, and renamed. A write that fails
leaves the state before it untouched; what a killed write left is removed by `clear_leftovers`.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from luciola.errors import StorageError

log = logging.getLogger(__name__)

WRITING = ".writing"
REPLACED = ".replaced"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
}
# Libraries in Rust and C++ report a full disk in words only (safetensors, torch.save).
FULL_IN_WORDS = (
    "No space left on device",
    "File too large",
    "quota exceeded",
    "PytorchStreamWriter failed",
    "unexpected pos",  # torch.save, where the archive's index no longer fits
)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole, or leave the one before as it was.

    Raises: StorageError where the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing_file(path, len(data)) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replacing_file(
    final: Path, needed_bytes: int | None = None, *, keep: bool = False
) -> Iterator[Path]:
    """Yield the path of a file to write; at the end of the block it takes the place of `final`,
    whose folder is made if it is missing.

    Args:
        keep: leave a file that has appeared there meanwhile; ours gets a name beside it, said in
            a warning.

    Raises: StorageError as `replacing_folder` does.
    """
    temporary = _beside(final, f".{os.getpid()}{WRITING}")  # two processes may write at once
    try:
        with storage_errors(final, needed_bytes):
            final.parent.mkdir(parents=True, exist_ok=True)
            _clear_dead(final)
            yield temporary
            _flush(temporary, os.O_RDWR)
            if keep:
                _move_to_free(temporary, final)
            else:
                temporary.replace(final)
            _flush_folder(final.parent)
    except BaseException:
        with suppress(OSError):  # where nothing can be written, nothing can be removed
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(final: Path, needed_bytes: int | None = None) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end of the block it takes the place of `final`.

    Args:
        needed_bytes: what will be written, for the message if it does not fit.

    Raises: StorageError where the disk is full or the folder cannot be written; `final` is as it
        was.
    """
    temporary = _beside(final, WRITING)
    try:
        with storage_errors(final, needed_bytes):
            _remove(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            _flush_tree(temporary)
            _move_into_place(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def clear_leftovers(folder: Path) -> None:
    """Remove what killed writes left in `folder`; bring back what one was about to replace."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if is_leftover(path) and path.name.endswith(REPLACED):
            final = path.with_name(path.name[1 : -len(REPLACED)])
            if not final.exists():
                path.rename(final)
        if is_leftover(path):
            _remove(path)


def is_leftover(path: Path) -> bool:
    """Whether a path is the unfinished write of another."""
    return path.name.startswith(".") and path.name.endswith((WRITING, REPLACED))


@contextmanager
def storage_errors(path: Path, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn a full disk or a refused write inside the block into a StorageError about `path`."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in FULL or any(words in str(error) for words in FULL_IN_WORDS):
            raise _full(path, needed_bytes) from error
        if number in REFUSED:
            raise StorageError(
                f"{path} cannot be written: {os.strerror(number)}",
                remedy="Choose another place with out=FOLDER or --out.",
            ) from error
        raise


def _full(path: Path, needed_bytes: int | None) -> StorageError:
    if path.is_char_device() or not path.name:  # such as /dev/full
        return StorageError(f"{path} could not be written: it is full", remedy="Name a file.")
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    free = _size(shutil.disk_usage(existing).free)
    need = f"it needs {_size(needed_bytes)} and " if needed_bytes is not None else ""
    return StorageError(
        f"{path} could not be written, the disk or quota is full: {need}{free} are free",
        remedy="What was saved before is whole. Free some space and run the same command again; "
        "it goes on from there.",
    )


def _size(number: int) -> str:
    return f"{number / 2**20:,.1f} MiB" if number >= 2**20 else f"{number:,} bytes"


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}{ending}")


def _move_into_place(temporary: Path, final: Path) -> None:
    """Rename; a folder cannot replace a full one, so the old one steps aside for a moment."""
    aside = _beside(final, REPLACED)
    _remove(aside)
    if final.exists():
        final.rename(aside)
    try:
        temporary.rename(final)
    except OSError:
        if aside.exists():
            aside.rename(final)
        raise
    _flush_folder(final.parent)
    _remove(aside)


def _move_to_free(temporary: Path, final: Path) -> None:
    """Rename to `final`, or where a file has appeared there, to the first free name beside it."""
    place, number = final, 2
    while True:
        try:
            os.link(temporary, place)  # fails where something is there, as a rename would not
        except FileExistsError:
            place = final.with_name(f"{final.stem}-{number}{final.suffix}")
            number += 1
        except OSError:  # a file system without hard links
            if not place.exists():
                temporary.replace(place)
                break
            place = final.with_name(f"{final.stem}-{number}{final.suffix}")
            number += 1
        else:
            temporary.unlink()
            break
    if place != final:
        log.warning("%s has appeared meanwhile and stays; written to %s instead", final, place)


def _clear_dead(final: Path) -> None:
    """Remove what writes of `final` left whose process was killed."""
    for path in final.parent.glob(f".{escape(final.name)}.*{WRITING}"):
        owner = path.name[: -len(WRITING)].rpartition(".")[2]
        if owner.isdigit() and not _is_alive(int(owner)):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            _flush(Path(root, name), os.O_RDWR)
        _flush_folder(Path(root))


def _flush_folder(folder: Path) -> None:
    _flush(folder, os.O_RDONLY)


def _flush(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
