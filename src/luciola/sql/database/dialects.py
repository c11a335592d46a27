"""The database systems that are known, and what a worker for each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.database.address import URL, display_name


@dataclass(frozen=True)
class Dialect:
    """One system.

    Args:
        name: as a URL begins.
        module: of its `open_session`.
        packages: whether the worker sees installed packages, which costs time at its start.
        threads: whether the worker may start threads.
        environment: variables of the caller's environment that the worker keeps.
        passwords: where a password is looked for that the URL does not hold.
    """

    name: str
    module: str
    packages: bool = True
    threads: bool = True
    environment: tuple[str, ...] = ("HOME",)
    passwords: str = ""


HERE = "luciola.sql.database"
DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("sqlite", f"{HERE}.sqlite.session", False, False, ()),
        Dialect(
            "postgresql",
            f"{HERE}.postgresql.session",
            threads=False,
            environment=("HOME", "PGPASSWORD", "PGPASSFILE"),
            passwords="PGPASSWORD or ~/.pgpass",
        ),
        *(
            Dialect(
                name,
                f"{HERE}.mysql.session",
                threads=False,
                environment=("HOME", "MYSQL_PWD"),
                passwords="MYSQL_PWD",
            )
            for name in ("mysql", "mariadb")
        ),
        Dialect("duckdb", f"{HERE}.duckdb.session"),
    )
}


def dialect_of(database: str | Path) -> Dialect:
    """The system of a file's path or of a URL. Raises: DatabaseError where it is not known."""
    match = URL.fullmatch(str(database))
    name = "sqlite" if match is None else match["dialect"]
    name = "postgresql" if name == "postgres" else name
    if name not in DIALECTS:
        raise DatabaseError(
            f"{display_name(database)}: databases of the kind {name!r} are not read",
            remedy=f"Known kinds: {', '.join(DIALECTS)}.",
        )
    return DIALECTS[name]
