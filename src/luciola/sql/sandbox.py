"""Run SQL that a model wrote: read-only, in processes of their own, with limits on everything.

    with Sandbox("shop.sqlite") as sandbox:
        result = sandbox.run("SELECT count(*) FROM shop")

SQLite runs in a small pool of workers that are replaced when killed (a new process per query would
cost 20 ms each). Databases behind a URL run in this process: see `server` for what protects them.
"""

from __future__ import annotations

import queue
import weakref
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from luciola.errors import SqlError
from luciola.sql.database import sqlite_path
from luciola.sql.limits import MIB, Limits
from luciola.sql.process import WorkerDiedError, WorkerProcess, WorkerTimeoutError
from luciola.sql.result import Result, failure

__all__ = ["Result", "Sandbox"]


class Sandbox:
    """A pool of workers with limits; use it as a context manager, from any number of threads.

    Args:
        database: a SQLite file or URL, for calls that name no other.
        timeout_s: seconds per query; one that cannot be interrupted is killed half a second later.
        max_rows: rows per result.
        max_memory_bytes: memory per worker beyond what it needs to exist.
        max_result_bytes: bytes per result and per value.
        workers: queries that run at the same time.
    """

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        timeout_s: float = 5.0,
        max_rows: int = 10_000,
        max_memory_bytes: int = 512 * MIB,
        max_result_bytes: int = 16 * MIB,
        workers: int = 1,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.database = database
        self.workers = workers
        self.limits = Limits(timeout_s, max_rows, max_memory_bytes, max_result_bytes)
        self._workers = [WorkerProcess(self.limits) for _ in range(workers)]
        self._idle: queue.LifoQueue[WorkerProcess] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._finalizer = weakref.finalize(self, _stop_all, self._workers)

    def run(
        self, sql: str, *, database: str | Path | None = None, truncate: bool = False
    ) -> Result:
        """Run one query and return its rows.

        Args:
            sql: one statement that reads.
            database: where to run it; None: the sandbox's own.
            truncate: return the first `max_rows` rows where there are more, instead of an error.

        Raises: the subclass of SqlError that says why the query failed; DatabaseError where the
            database itself cannot be read.
        """
        target = self._target(database)
        path = sqlite_path(target)
        if path is None:
            from luciola.sql.server import run_on_server

            return run_on_server(target, sql, self.limits, truncate=truncate)
        return self._run_in_worker(sql, path, truncate)

    def run_many(
        self,
        queries: Sequence[str],
        *,
        databases: Sequence[str | Path] | None = None,
        truncate: bool = False,
    ) -> list[Result | SqlError]:
        """Run each query (on the database of the same index) and return results or errors in order.

        Raises: DatabaseError where a database cannot be read.
        """
        targets = [self._target(None)] * len(queries) if databases is None else list(databases)
        if len(targets) != len(queries):
            raise ValueError(f"{len(queries)} queries and {len(targets)} databases")

        def attempt(sql: str, target: str | Path) -> Result | SqlError:
            try:
                return self.run(sql, database=target, truncate=truncate)
            except SqlError as error:
                return error

        if self.workers == 1:
            return list(map(attempt, queries, targets))
        with ThreadPoolExecutor(self.workers) as threads:
            return list(threads.map(attempt, queries, targets))

    def close(self) -> None:
        """End the workers. A later query starts them again."""
        _stop_all(self._workers)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _target(self, database: str | Path | None) -> str | Path:
        target = self.database if database is None else database
        if target is None:
            raise ValueError("no database: give one to Sandbox(...) or to run(database=...)")
        return target

    def _run_in_worker(self, sql: str, path: Path, truncate: bool) -> Result:
        worker = self._idle.get()
        try:
            reply = worker.ask([sql, str(path), truncate])
        except WorkerTimeoutError:
            reply = ["timeout", "", self.limits.timeout_s]
        except WorkerDiedError as death:
            if death.status == 1:  # Python's status for an exception: a fault of the worker
                raise
            reply = ["memory", "", 0.0]
        finally:
            self._idle.put(worker)
        if reply[0] != "result":
            raise failure(reply[0], reply[1], self.limits, path)
        _, columns, rows, truncated, seconds = reply
        return Result(tuple(columns), tuple(map(tuple, rows)), seconds, truncated)


def _stop_all(workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        worker.stop()
