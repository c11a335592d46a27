"""Which database is meant, and how it is opened: read-only, and never created.

Left out: passwords are not looked up anywhere; a URL holds what its driver needs.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.errors import DatabaseError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SQLITE_MAGIC = b"SQLite format 3\0"
URL = re.compile(r"(?P<dialect>[a-z][a-z0-9]*)(\+[a-z0-9_]+)?://(?P<rest>.*)", re.DOTALL)
DUCKDB_OPTIONS = {
    "read_only": True,
    "config": {"enable_external_access": "false", "lock_configuration": "true"},
}
DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "duckdb": "duckdb_engine"}


def sqlite_path(database: str | Path) -> Path | None:
    """The absolute path of a SQLite file, or None where `database` is the URL of another system.

    Raises: DatabaseError where there is no such file, or it is no SQLite database.
    """
    match = URL.fullmatch(str(database))
    if match is None:
        return checked_file(Path(database))
    if match["dialect"] != "sqlite":
        return None
    name = match["rest"].removeprefix("/")
    if name in ("", ":memory:"):
        raise DatabaseError(
            f"{database} is an empty database in memory", remedy="Give the path of a file."
        )
    return checked_file(Path(name))


def checked_file(path: Path) -> Path:
    """`path` made absolute, if it is a file that begins as a SQLite database does."""
    path = path.expanduser()
    try:
        if path.is_dir():
            raise DatabaseError(f"{path} is a folder, not a database file")
        with path.open("rb") as file:
            start = file.read(len(SQLITE_MAGIC))
    except FileNotFoundError:
        raise DatabaseError(
            f"there is no database file {path}",
            remedy="Check the path; a server is named by a URL such as postgresql://user@host/name.",
        ) from None
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror}") from None
    if start and start != SQLITE_MAGIC:
        raise DatabaseError(f"{path} is not a SQLite database", remedy=_what_instead(path, start))
    return path.absolute()


def display_name(database: str | Path) -> str:
    """`database` as it may be shown: a URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str(database))


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A read-only connection; text that is not UTF-8 is read without its broken bytes.

    A database in WAL mode that nobody writes to is opened as an unchanging file: a plain read-only
    connection would leave `-wal` and `-shm` files behind, or fail in a folder it cannot write to.
    """
    options = "mode=ro&immutable=1" if is_idle_wal(path) else "mode=ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", uri=True, check_same_thread=False
    )
    connection.isolation_level = None
    connection.text_factory = lambda raw: raw.decode("utf-8", "ignore")
    connection.execute("PRAGMA query_only=1")
    return connection


def is_idle_wal(path: Path) -> bool:
    """Whether the file is in WAL mode and has no log.

    Source: https://www.sqlite.org/fileformat2.html, byte 18 of the header.
    """
    with path.open("rb") as file:
        header = file.read(19)
    log = path.with_name(path.name + "-wal")
    return header[18:19] == b"\2" and not (log.exists() and log.stat().st_size)


@contextmanager
def connected(database: str | Path) -> Iterator[Connection]:
    """A read-only SQLAlchemy connection, closed with its engine at the end.

    Raises: DatabaseError in one sentence; MissingExtraError where the driver is not installed.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    engine = _engine(database)
    try:
        with engine.connect() as connection:
            make_read_only(connection)
            yield connection
    except DBAPIError as error:
        raise _unreadable(database, error.orig) from None
    except SQLAlchemyError as error:
        raise _unreadable(database, error) from None
    finally:
        engine.dispose()


def _unreadable(database: str | Path, reason: object) -> DatabaseError:
    """Drivers explain on several lines; the first says what happened."""
    first = str(reason).strip().partition("\n")[0].rstrip(". ")
    return DatabaseError(f"{display_name(database)} cannot be read: {first}")


def make_read_only(connection: Connection) -> None:
    """Begin a transaction in which the server itself refuses to write."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()


def _engine(database: str | Path) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    path = sqlite_path(database)
    if path is not None:
        return create_engine("sqlite://", creator=lambda: connect_sqlite(path), poolclass=NullPool)
    dialect = _dialect(database)
    try:
        return create_engine(
            _with_driver(str(database), dialect),
            poolclass=NullPool,
            connect_args=DUCKDB_OPTIONS if dialect == "duckdb" else {},
        )
    except (ImportError, NoSuchModuleError):
        raise MissingExtraError(
            DRIVERS[dialect], extra=dialect, purpose=f"reading a {dialect} database"
        ) from None
    except (ArgumentError, ValueError):
        raise DatabaseError(f"{display_name(database)} is not understood as a URL") from None


def _dialect(database: str | Path) -> str:
    match = URL.fullmatch(str(database))
    dialect = "" if match is None else match["dialect"]
    if dialect not in DRIVERS:
        known = ", ".join(["sqlite", *DRIVERS])
        raise DatabaseError(
            f"{display_name(database)}: databases of the kind {dialect!r} are not read",
            remedy=f"Known kinds: {known}.",
        )
    return dialect


def _with_driver(url: str, dialect: str) -> str:
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    scheme, rest = url.split("://", 1)
    return url if "+" in scheme else f"{drivers.get(dialect, dialect)}://{rest}"


def _what_instead(path: Path, start: bytes) -> str:
    if start[8:12] == b"DUCK":
        return f"A DuckDB file is named by a URL: duckdb:///{path}"
    return "Give a file made by SQLite; a CSV file must be imported into one first."
