"""Statements that write, read files or take the machine: nothing happens, and the next query works.

They run as a reader and as the administrator, since people do that. Each file holds one statement a
line; {file} is a file that the server could read, {folder} a folder that it could write to.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from database_servers import admin_of
from luciola.errors import SqlError
from luciola.sql.database.allowed import Allowed
from luciola.sql.database.sandbox import Sandbox

HERE = Path(__file__).parent / "attacks"
MARK = "what-stands-in-the-file"
EVERYONE = ["postgresql", "postgresql admin", "mariadb", "mariadb admin", "duckdb"]
SYSTEMS = ["postgresql admin", "mariadb admin", "duckdb"]
LIMIT_S = 0.5
POSTGRESQL_STATE = (
    "SELECT count(*), sum(hashtext(s::text)) FROM shop s",
    "SELECT count(*), sum(hashtext(s::text)) FROM secret s",
    "SELECT count(*) FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace",
    "SELECT count(*) FROM pg_proc",
    "SELECT rolname, rolsuper, rolcreaterole, rolpassword FROM pg_authid ORDER BY 1",
    "SELECT count(*) FROM pg_largeobject_metadata",
    "SELECT count(*) FROM pg_replication_slots",
    "SELECT count(*) FROM pg_extension",
    "SELECT count(*) FROM pg_replication_origin",
    "SELECT name, setting FROM pg_settings WHERE source <> 'session' ORDER BY 1",
    "SELECT last_value, is_called FROM numbers",
    "SELECT relname, relacl FROM pg_class WHERE relname IN ('shop', 'secret') ORDER BY 1",
)
MARIADB_STATE = (
    "CHECKSUM TABLE shopdb.shop, shopdb.secret, shopdb.employee, other.diary",
    "SELECT count(*) FROM information_schema.tables WHERE table_schema <> 'information_schema'",
    "SELECT count(*) FROM information_schema.routines",
    "SELECT host, user, priv FROM mysql.global_priv ORDER BY 1, 2",
    "SELECT next_not_cached_value FROM shopdb.numbers",
    "SELECT variable_name, variable_value FROM information_schema.global_variables "
    "WHERE variable_name NOT LIKE '%gtid%' AND variable_name NOT LIKE '%timestamp%' ORDER BY 1",
)


def statements(name: str, file: Path | None = None) -> list[str]:
    found = (HERE / f"{name}.sql").read_text().splitlines()
    if file is None:
        return found
    return [
        line.replace("{file}", str(file)).replace("{folder}", str(file.parent)) for line in found
    ]


@pytest.fixture
def target_file(tmp_path: Path, request: pytest.FixtureRequest, database_url: str) -> Path:
    """A file beside which anything could be written, by a server too."""
    system = database_url.partition(":")[0]
    server = None if system == "duckdb" else request.getfixturevalue(f"{system}_server")
    folder = (tmp_path if server is None else server.folder) / "scratch"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    file = folder / "notes.csv"
    file.write_text(f"a,b\n{MARK},1\n")
    file.chmod(0o666)
    return file


def state(url: str, request: pytest.FixtureRequest, folder: Path) -> list[Any]:
    """Tables, roles, settings and files as an administrator sees them."""
    files = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    system = url.partition(":")[0]
    if system == "duckdb":
        path = Path(url.removeprefix("duckdb:///"))
        return [files, hashlib.sha256(path.read_bytes()).hexdigest(), sorted(path.parent.iterdir())]
    if system == "postgresql":
        import psycopg

        server = request.getfixturevalue("postgresql_server")
        with psycopg.connect(server.url("shopdb", "postgres")) as connection:
            return [files, *(connection.execute(sql).fetchall() for sql in POSTGRESQL_STATE)]
    with admin_of(request.getfixturevalue("mariadb_server")) as cursor:
        return [files, *_asked(cursor, MARIADB_STATE)]


def _asked(cursor: Any, queries: tuple[str, ...]) -> Iterator[Any]:
    for sql in queries:
        cursor.execute(sql)
        yield cursor.fetchall()


@pytest.mark.parametrize("database_url", EVERYONE, indirect=True)
def test_attacks_neither_write_nor_read_files(
    database_url: str, target_file: Path, request: pytest.FixtureRequest
) -> None:
    system = database_url.partition(":")[0]
    found = statements(system, target_file)
    assert len(found) >= 150
    before = state(database_url, request, target_file.parent)
    ran = []
    with Sandbox(database_url, timeout_s=5) as sandbox:
        for sql in found:
            try:
                ran.append((sql, sandbox.run(sql).rows))
            except SqlError as error:
                assert MARK not in str(error), sql
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((3,),)
    assert state(database_url, request, target_file.parent) == before
    assert not [sql for sql, rows in ran if MARK in str(rows)]
    assert len(ran) <= 12, [sql for sql, _ in ran]


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_whatever_takes_too_much_is_stopped_in_time(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    late = []
    with Sandbox(database_url, timeout_s=LIMIT_S) as sandbox:
        for sql in statements(f"bombs-{database_url.partition(':')[0]}"):
            sandbox.check()  # a worker that was killed is started anew here
            started = time.monotonic()
            with contextlib.suppress(SqlError):
                sandbox.run(sql)
            if time.monotonic() - started > LIMIT_S + 1:
                late.append(sql[:80])
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((3,),)
    assert not late
    assert _running(database_url, request) == []


def _running(url: str, request: pytest.FixtureRequest) -> list[Any]:
    """Queries that a server still works on a second after the last one was stopped."""
    time.sleep(1)
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url) as connection:
            return connection.execute(
                "SELECT query FROM pg_stat_activity WHERE state = 'active' "
                "AND application_name = 'luciola'"
            ).fetchall()
    if url.startswith("mariadb"):
        with admin_of(request.getfixturevalue("mariadb_server")) as cursor:
            cursor.execute(
                "SELECT info FROM information_schema.processlist WHERE command = 'Query' "
                "AND info NOT LIKE '%processlist%'"
            )
            return list(cursor.fetchall())
    return []


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_only_allowed_columns_are_read(database_url: str) -> None:
    system = database_url.partition(":")[0]
    allowed = Allowed.of(columns=["shop.id", "shop.name"])
    seen = []
    with Sandbox(database_url, timeout_s=5, allowed=allowed) as sandbox:
        for sql in statements(f"restricted-{system}"):
            try:
                text = str(sandbox.run(sql).rows)
            except SqlError:
                continue
            if any(word in text for word in ("hidden", "Paris", "2014", "Ann", "private")):
                seen.append(sql)
        assert sandbox.run("SELECT name FROM shop ORDER BY id").rows[0] == ("Lux",)
    assert not seen


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_an_allowed_view_shows_what_its_tables_hide(database_url: str) -> None:
    with Sandbox(database_url, timeout_s=5, allowed=Allowed.of(["tokens"])) as sandbox:
        assert sandbox.run("SELECT start FROM tokens").rows == (("h",),)
        with pytest.raises(SqlError):
            sandbox.run("SELECT token FROM secret")
