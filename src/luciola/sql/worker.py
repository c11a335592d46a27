"""A sandbox's worker process: runs one query at a time on a read-only connection, within limits.

Started as `python -m luciola.sql.worker LIMITS PARENT`; imports the standard library only, so that
it is ready in about 50 ms. Everything that the process will never need is taken away before the
first query: writing files, starting processes, memory beyond the limit.

What is not covered: a fault in SQLite itself that lets a query run machine code could still read
the files that this user can read. A container is the answer where that matters.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from luciola.sql.channel import encode, receive
from luciola.sql.database import connect_sqlite
from luciola.sql.guard import Guard
from luciola.sql.limits import MIB, Limits

OUT_OF_MEMORY = 71
"""Exit status where not even an answer could be made."""
OPEN_CONNECTIONS = 16
STEPS_PER_CHECK = 2_000
"""Steps of SQLite's virtual machine between two looks at the clock, well below a millisecond."""
KINDS = {
    sqlite3.SQLITE_INTERRUPT: "timeout",
    sqlite3.SQLITE_TOOBIG: "size",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_FULL: "memory",
    sqlite3.SQLITE_AUTH: "forbidden",
    sqlite3.SQLITE_READONLY: "forbidden",
    sqlite3.SQLITE_BUSY: "database",
    sqlite3.SQLITE_CANTOPEN: "database",
    sqlite3.SQLITE_CORRUPT: "database",
    sqlite3.SQLITE_IOERR: "database",
    sqlite3.SQLITE_LOCKED: "database",
    sqlite3.SQLITE_NOTADB: "database",
}
Reply = list[Any]


class RefusedError(Exception):
    """A limit of our own was passed; `kind` is one of KINDS' values or "rows"."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class Session:
    """One connection with its guard and its clock."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.limits = limits
        self.guard = Guard()
        self.deadline = 0.0
        self.state = _state(path)
        self.connection = connect_sqlite(path)
        self.connection.execute("PRAGMA temp_store=MEMORY")  # sorting counts as memory
        self.connection.execute("PRAGMA trusted_schema=OFF")
        self.connection.execute(f"PRAGMA hard_heap_limit={limits.max_memory_bytes}")
        _set_limits(self.connection, limits)
        self.connection.set_authorizer(self.guard)
        self.connection.set_progress_handler(self._is_late, STEPS_PER_CHECK)

    def run(self, sql: str, truncate: bool) -> Reply:
        """Run `sql` and fetch its rows. Raises: RefusedError, sqlite3.Error."""
        self.guard.refused = None
        self.deadline = time.monotonic() + self.limits.timeout_s
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
            if cursor.description is None:
                raise RefusedError("invalid", "it holds no query")
            rows, truncated = self._fetch(cursor, truncate)
            return ["result", [column[0] for column in cursor.description], rows, truncated]
        finally:
            cursor.close()

    def _fetch(self, cursor: sqlite3.Cursor, truncate: bool) -> tuple[list[Any], bool]:
        rows: list[Any] = []
        left = self.limits.max_result_bytes
        for row in cursor:
            if len(rows) == self.limits.max_rows:
                if truncate:
                    return rows, True
                raise RefusedError("rows")
            left -= sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            if left < 0:
                raise RefusedError("size")
            rows.append(row)
        return rows, False

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline


class Sessions:
    """The connections that were used last; a file that was replaced is opened anew."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open: OrderedDict[str, Session] = OrderedDict()

    def get(self, database: str) -> Session:
        session = self.open.pop(database, None)
        if session is not None and session.state != _state(Path(database)):
            session.connection.close()
            session = None
        self.open[database] = session = session or Session(Path(database), self.limits)
        if len(self.open) > OPEN_CONNECTIONS:
            self.open.popitem(last=False)[1].connection.close()
        return session


def answer(sessions: Sessions, sql: str, database: str, truncate: bool) -> Reply:
    """["result", columns, rows, truncated] or [kind of error, message]."""
    session = None
    try:
        session = sessions.get(database)
        return session.run(sql, truncate)
    except RefusedError as error:
        return [error.kind, str(error)]
    except MemoryError:
        return ["memory", ""]
    except OSError as error:
        return ["database", error.strerror or str(error)]
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if session is not None and session.guard.refused is not None:
            return ["forbidden", session.guard.refused]
        code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
        return [KINDS.get(code & 0xFF, "invalid"), str(error)]


def serve(limits: Limits) -> None:
    """Answer requests until the parent closes the pipe."""
    sessions = Sessions(limits)
    _send(["ready"])
    while (request := receive(sys.stdin.buffer)) is not None:
        started = time.perf_counter()
        reply = answer(sessions, *request)
        reply.append(time.perf_counter() - started)
        _send(reply)


def restrict(limits: Limits) -> None:
    """Give up, for good, what a query never needs, as far as the system has such limits."""
    import resource

    memory = _own_memory_bytes() + limits.max_memory_bytes
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit on addresses
            resource.setrlimit(limit, (bound, bound))


def die_with(parent: int) -> None:
    """End this process, whatever it does, soon after its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    """Read the limits and the parent's id from the command line, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limits = Limits(**json.loads(sys.argv[1]))
    threading.Thread(target=die_with, args=(int(sys.argv[2]),), daemon=True).start()
    restrict(limits)
    try:
        serve(limits)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _set_limits(connection: sqlite3.Connection, limits: Limits) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_result_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MIB)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100)
    connection.setlimit(sqlite3.SQLITE_LIMIT_VDBE_OP, 1_000_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)


def _state(path: Path) -> tuple[int, ...]:
    """Changes when another file takes the place of this one, or its write-ahead log appears."""
    found = path.stat()
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, int(has_log)


def _send(reply: Reply) -> None:
    try:
        message = encode(reply)
    except MemoryError:
        message = encode(["memory", "", reply[-1]])
    sys.stdout.buffer.write(message)
    sys.stdout.buffer.flush()


def _own_memory_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 256 * MIB
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
