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

    Raises: RefusedError where the file is no SQLite database, or cannot be read without a write.
    """
    header = checked_header(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{_options(path, header)}",
        uri=True,
        check_same_thread=False,
        cached_statements=0,  # the guard is asked while a statement is prepared, each time
    )
    connection.isolation_level = None
    connection.text_factory = lambda raw: raw.decode("utf-8", "ignore")
    connection.execute("PRAGMA query_only=1")
    return connection


def _options(path: Path, header: bytes) -> str:
    """How SQLite opens the file so that nothing beside it is made, changed or taken away.

    With a write-ahead log, its index (-shm) is read and never written (readonly_shm): what was
    committed is seen, whether the writer lives or was killed. Without a log a database in WAL mode
    is read as an unchanging file, since a plain connection would leave -wal and -shm behind.
    Source: https://www.sqlite.org/wal.html#read_only_databases
    """
    if header[18:19] != WAL_MODE:
        return "mode=ro&readonly_shm=1"
    log, index = beside(path, "-wal"), beside(path, "-shm")
    if log.exists() and index.exists():
        return "mode=ro&readonly_shm=1"
    if has_log(path):
        raise RefusedError("log", log.name)
    return "mode=ro&immutable=1"


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
        return beside(path, "-wal").stat().st_size > 0
    except OSError:
        return False


def beside(path: Path, ending: str) -> Path:
    """Where SQLite keeps its log ("-wal"), the index of that ("-shm") or its journal."""
    return path.with_name(path.name + ending)


def state(path: Path) -> tuple[int, ...]:
    """Changes when another file takes the place of this one, or its write-ahead log appears."""
    found = path.stat()
    logged = 2 * has_log(path) + beside(path, "-shm").exists()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, logged
