"""Real PostgreSQL and MariaDB servers for the tests, started once per session in a scratch folder.

Neither runs as root: PostgreSQL refuses to, and what an attack can reach should be little.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "p@ss/w:rd%?#'1"
"""Every character in it that a URL could stumble over."""
QUOTED = "p%40ss%2Fw%3Ard%25%3F%23%271"


class NoServerError(Exception):
    """Why there is no server to test with."""


@dataclass(frozen=True)
class Server:
    """A running server; its folder holds its data and its socket."""

    scheme: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str, user: str = "reader", password: str = QUOTED) -> str:
        """The URL of a database; the superuser has no password."""
        login = user if user == self.superuser else f"{user}:{password}"
        return f"{self.scheme}://{login}@127.0.0.1:{self.port}/{database}"

    @property
    def superuser(self) -> str:
        """Who may do everything."""
        return "postgres" if self.scheme == "postgresql" else "root"


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    """Raises: NoServerError."""
    found = shutil.which("initdb")
    programs = [Path(found).parent] if found else []
    programs += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = _first(folder / "initdb" for folder in programs)
    with _folder("postgres") as (folder, user):
        data = folder / "data"
        command = [initdb, "-D", data, "-U", "postgres", "--auth-host=scram-sha-256"]
        with (folder / "password").open("w") as file:
            file.write("unused")
        _run(
            [
                *command,
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--pwfile",
                folder / "password",
            ],
            user,
        )
        hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (data / "pg_hba.conf").write_text(hba)
        port = free_port()
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder,
                   "fsync": "off", "shared_buffers": "16MB", "max_connections": 50}  # fmt: skip
        settings = [text for key, value in options.items() for text in ("-c", f"{key}={value}")]
        server = [initdb.with_name("postgres"), "-D", data, *settings]
        with _running(server, user, folder, port, signal.SIGINT) as process:
            yield Server("postgresql", port, folder, process)


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """Raises: NoServerError."""
    server = _first(_paths("mariadbd"))
    install = _first(_paths("mariadb-install-db"))
    with _folder("mysql") as (folder, user):
        data = folder / "data"
        shared = ["--no-defaults", f"--datadir={data}"]
        _run(
            [install, *shared, "--auth-root-authentication-method=normal", "--skip-test-db",
             "--skip-name-resolve"],
            user,
        )  # fmt: skip
        port = free_port()
        command = [server, *shared, f"--port={port}", "--bind-address=127.0.0.1",
                   f"--socket={folder}/socket", "--innodb-flush-log-at-trx-commit=0",
                   "--innodb-buffer-pool-size=16M", "--skip-name-resolve",
                   "--secure-file-priv="]  # fmt: skip
        with _running(command, user, folder, port, signal.SIGKILL) as process:
            yield Server("mariadb", port, folder, process)


@contextlib.contextmanager
def admin_of(server: Server, database: str | None = "shopdb") -> Iterator[Any]:
    """A cursor of MariaDB's root."""
    import pymysql

    connection = pymysql.connect(
        host="127.0.0.1",
        port=server.port,
        user="root",
        database=database,
        charset="utf8mb4",
        autocommit=True,
    )
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _paths(name: str) -> list[Path]:
    found = [Path(folder) / name for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin")]
    which = shutil.which(name)
    return [*found, Path(which)] if which else found


def _first(paths: object) -> Path:
    last = Path()
    for last in paths:  # type: ignore[attr-defined]
        if last.is_file():
            return last
    raise NoServerError(f"{last.name or 'initdb'} is not installed")


@contextlib.contextmanager
def _folder(account: str) -> Iterator[tuple[Path, str | None]]:
    """A folder with a short path, of which this account or nobody is the owner, if we are root."""
    folder = Path(tempfile.mkdtemp(prefix="luciola-"))
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = account if account in names else "nobody"
        shutil.chown(folder, user)
    try:
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[object], user: str | None) -> None:
    found = subprocess.run(
        [str(part) for part in command], user=user, capture_output=True, cwd="/", timeout=60
    )
    if found.returncode:
        raise NoServerError(f"{command[0]} fails: {(found.stderr or found.stdout)[-300:]!r}")


@contextlib.contextmanager
def _running(
    command: list[object], user: str | None, folder: Path, port: int, stop: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
        )
    try:
        _wait(process, port, folder / "log")
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)  # PostgreSQL listens a little before it answers
            return
        time.sleep(0.05)
    raise NoServerError(f"the server does not start: {log.read_text(errors='replace')[-300:]}")
