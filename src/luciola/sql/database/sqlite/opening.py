"""Opening a SQLite file: read-only, never created, and without leaving anything beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from luciola.sql.database.session import RefusedError

MAGIC = b"SQLite format 3\0"
WAL_MODE = b"\2"
"""Byte 18 of the header. Source: https://www.sqlite.org/fileformat2.html"""


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection; text that is not UTF-8 is read without its broken bytes.

    A database in WAL mode that nobody writes to is opened as an unchanging file: a plain read-only
    connection would leave `-wal` and `-shm` files behind, or fail in a folder it cannot write to.
    Raises: RefusedError where the file is no SQLite database.
    """
    header = checked_header(path)
    idle = header[18:19] == WAL_MODE and not has_log(path)
    options = "mode=ro&immutable=1" if idle else "mode=ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        check_same_thread=False,
        cached_statements=0,  # the guard is asked while a statement is prepared, each time
    )
    connection.isolation_level = None
    connection.text_factory = lambda raw: raw.decode("utf-8", "ignore")
    connection.execute("PRAGMA query_only=1")
    return connection


def checked_header(path: Path) -> bytes:
    """The first 100 bytes. Raises: RefusedError where these are not SQLite's; OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError("database", "it is no file")
        header = os.read(descriptor, 100)
    finally:
        os.close(descriptor)
    if header and not header.startswith(MAGIC):
        raise RefusedError("duckdb" if header[8:12] == b"DUCK" else "foreign")
    return header


def has_log(path: Path) -> bool:
    """Whether a write-ahead log lies beside the file, with something in it."""
    try:
        return log_of(path).stat().st_size > 0
    except OSError:
        return False


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a file lies."""
    return path.with_name(path.name + "-wal")


def state(path: Path) -> tuple[int, ...]:
    """Changes when another file takes the place of this one, or its write-ahead log appears."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, int(has_log(path))
