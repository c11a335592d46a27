"""What a dialect is to the worker: a session on one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.schema import Schema

UNKNOWN = "unknown"
"""The kind of an error for a table or column that a server does not find."""


class RefusedError(Exception):
    """A request that cannot be answered; `kind` is one that `result.failure` knows."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def hidden(error: RefusedError, allowed: Allowed | None) -> RefusedError:
    """The error for a name that was not found, where not all may be read: it says what may be.

    One sentence for what may not be read and for what is not there, so that it tells neither.
    """
    if allowed is None or error.kind != UNKNOWN:
        return error
    return RefusedError("hidden", str(allowed))


class Rows(NamedTuple):
    """Rows as they came; `truncated` where there were more."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    truncated: bool = False


class Session(Protocol):
    """One database, opened for reading. Every method raises RefusedError, and keeps its limits."""

    @property
    def is_current(self) -> bool:
        """Whether the session still shows the database; otherwise it is opened anew."""
        ...

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        """Run what a model wrote: one statement that reads nothing but what `allowed` names."""
        ...

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        """Tables and views of the default schema; a count that takes too long is None."""
        ...

    def values(
        self,
        table: str,
        column: str,
        limits: Limits,
        *,
        rows: int,
        most: int,
        longest: int,
    ) -> list[Cell]:
        """Different values of a column, at most `most`, among its first `rows` rows.

        Texts of more than `longest` characters are left out; 0: none is, but a long one may be
        cut, since it is only shown. What had been found when a limit was passed is returned.
        """
        ...

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        """Run a query of our own, which may ask the catalogue."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
