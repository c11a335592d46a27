"""Ask a database, and run SQL that a model wrote: in processes of their own, with limits.

    with Sandbox("shop.sqlite") as sandbox:
        result = sandbox.run("SELECT count(*) FROM shop")

A small pool of workers, which are replaced when killed (a new process per query would cost 50 ms
each). What a worker can do is in `session`; how it is protected, in its dialect's module.
"""

from __future__ import annotations

import queue
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from luciola.errors import DatabaseError, SqlError
from luciola.sql.database.address import display_name, located
from luciola.sql.database.allowed import Allowed, restricted
from luciola.sql.database.dialects import dialect_of
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.process import WorkerDiedError, WorkerProcess, WorkerTimeoutError
from luciola.sql.database.result import Cell, Result, failure
from luciola.sql.schema import Schema

__all__ = ["Result", "Sandbox"]

Made = TypeVar("Made")


class Sandbox:
    """A pool of workers with limits; use it as a context manager, from any number of threads.

    Args:
        database: a SQLite file or URL, for calls that name no other.
        timeout_s: seconds per query; one that cannot be interrupted is killed half a second later.
        max_rows: rows per result.
        max_memory_bytes: memory per worker beyond what it needs to exist.
        max_result_bytes: bytes per result and per value.
        workers: queries that run at the same time.
        allowed: the tables and columns that may be read; None: all.
        strict_quotes: refuse a "name" in double quotes that is no column, which SQLite would
            read as a text (as the gold queries of Spider want it to).
        first_row: read all rows of a result, within the limits, and return the first alone.
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
        allowed: Allowed | None = None,
        strict_quotes: bool = False,
        first_row: bool = False,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.database = database
        self.workers = workers
        self.allowed = allowed
        self.options = {"strict_quotes": strict_quotes, "first_row": first_row}
        self.limits = Limits(timeout_s, max_rows, max_memory_bytes, max_result_bytes)
        self._sent_limits = asdict(self.limits)
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
        reply = self._ask("run", database, sql=sql, truncate=truncate, options=self.options)
        return _result(reply)

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

        return list(self.at_once(attempt, queries, targets))

    def at_once(self, function: Callable[..., Made], *arguments: Iterable[Any]) -> Iterator[Made]:
        """As `map`, with as many calls at a time as there are workers.

        What is interrupted (Ctrl-C) ends at once: workers are killed, and calls that wait for one
        or begin later get an error. The sandbox is of no use afterwards.
        """
        if self.workers == 1:
            yield from map(function, *arguments)
            return
        threads = ThreadPoolExecutor(self.workers)
        try:
            yield from threads.map(function, *arguments)
        except Exception:
            raise
        except BaseException:
            self._end()
            raise
        finally:
            threads.shutdown(cancel_futures=True)

    def schema(self, database: str | Path | None = None, allowed: Allowed | None = None) -> Schema:
        """The tables and views that may be read, with counts where counting takes no long time.

        Args:
            allowed: instead of the sandbox's own.

        Raises: DatabaseError; ConfigError where an allowed name is not there.
        """
        seen = allowed or self.allowed
        sent = None if seen is None else seen.to_json()
        try:
            found = self._ask("schema", database, count=True, allowed=sent)
        except SqlError:  # counting the rows of an endless view, or out of memory
            found = self._read("schema", database, count=False, allowed=sent)
        schema = Schema.from_json(found["ok"])
        if seen is None:
            return schema
        return restricted(schema, seen, display_name(self._target(database)))

    def values(
        self,
        table: str,
        column: str,
        *,
        database: str | Path | None = None,
        rows: int,
        most: int,
        longest: int = 0,
    ) -> list[Cell]:
        """Different values of a column, at most `most`, among its first `rows` rows.

        Args:
            longest: texts of more characters are left out; 0: they are cut.

        Raises: DatabaseError, also where a limit was passed before any value was found.
        """
        found: list[Cell] = self._read(
            "values", database, table=table, column=column, rows=rows, most=most, longest=longest
        )["ok"]
        return found

    def trusted(
        self, sql: str, parameters: Sequence[Cell] = (), *, database: str | Path | None = None
    ) -> tuple[tuple[Any, ...], ...]:
        """The rows of a query of our own, which may ask the catalogue.

        Raises: DatabaseError.
        """
        return _result(self._read("trusted", database, sql=sql, parameters=list(parameters))).rows

    def broken(self, table: str, *, database: str | Path | None = None, rows: int) -> list[int]:
        """The indices of columns of a SQLite table that hold text which is not UTF-8.

        Raises: DatabaseError.
        """
        found: list[int] = self._read("broken", database, table=table, rows=rows)["ok"]
        return found

    def check(self, database: str | Path | None = None) -> None:
        """Open a database, and nothing else. Raises: DatabaseError."""
        self._read("open", database)

    def _end(self) -> None:
        """Let no thread wait for a worker any longer, or start one."""
        for worker in self._workers:
            worker.end()

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
        if kind is not None and not issubclass(kind, Exception):
            self._end()
        self.close()

    def _target(self, database: str | Path | None) -> str | Path:
        target = self.database if database is None else database
        if target is None:
            raise ValueError("no database: give one to Sandbox(...) or to run(database=...)")
        return target

    def _read(self, kind: str, database: str | Path | None, **request: Any) -> dict[str, Any]:
        """As `_ask` where no model wrote the query: a passed limit is the database's fault."""
        try:
            return self._ask(kind, database, **request)
        except SqlError as error:
            name = display_name(self._target(database))
            said = error.message.removeprefix("the query ").removeprefix("the ")
            raise DatabaseError(f"{name} cannot be read: {said}") from None

    def _ask(self, kind: str, database: str | Path | None, **request: Any) -> dict[str, Any]:
        target = self._target(database)
        dialect = dialect_of(target)
        message = {
            "kind": kind,
            "database": located(target),
            "limits": self._sent_limits,
            "allowed": None if self.allowed is None else self.allowed.to_json(),
            **request,
        }
        worker = self._idle.get()
        try:
            reply = worker.ask(dialect, message, self.limits.timeout_s)
        except WorkerTimeoutError:
            reply = {"error": "timeout", "detail": ""}
        except WorkerDiedError as death:
            if death.status == 1:  # Python's status for an exception: a fault of the worker
                raise
            reply = {"error": "memory", "detail": ""}
        finally:
            self._idle.put(worker)
        if "error" in reply:
            raise failure(reply["error"], reply["detail"], self.limits, target)
        return reply


def _result(reply: Mapping[str, Any]) -> Result:
    found = reply["ok"]
    rows = tuple(map(tuple, found["rows"]))
    return Result(tuple(found["columns"]), rows, reply["seconds"], found["truncated"])


def _stop_all(workers: Iterable[WorkerProcess]) -> None:
    for worker in workers:
        worker.stop()
