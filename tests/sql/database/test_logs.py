"""A write-ahead log or a journal beside a SQLite file is read without a write, or refused."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import luciola
from luciola.errors import DatabaseError
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.inspection import inspection

COUNT = "SELECT count(*) FROM t"
KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=5")
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("CREATE TABLE t (a)")
connection.execute("BEGIN")
connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 300)
connection.execute("COMMIT")
connection.execute("BEGIN")
connection.execute("UPDATE t SET a = 'y' || a")
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(folder: Path, mode: str) -> Path:
    """A database whose writer was killed within a transaction that spilt into the file or log."""
    path = folder / "app.sqlite"
    subprocess.run([sys.executable, "-c", KILLED, str(path), mode], check=False)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_log_that_a_killed_writer_left_is_read_without_a_write(tmp_path: Path) -> None:
    path = killed(tmp_path, "WAL")
    before = everything(tmp_path)
    assert set(before) == {"app.sqlite", "app.sqlite-shm", "app.sqlite-wal"}
    with Sandbox(path) as sandbox:
        assert sandbox.run(COUNT).rows == ((300,),)
        assert sandbox.run("SELECT count(*) FROM t WHERE a LIKE 'y%'").rows == ((0,),)
    assert "t (300 rows)" in inspection(path)
    assert everything(tmp_path) == before


def test_a_log_without_its_index_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = killed(tmp_path, "WAL")
    (tmp_path / "app.sqlite-shm").unlink()
    before = everything(tmp_path)
    with (
        Sandbox(path) as sandbox,
        pytest.raises(DatabaseError, match=r"app\.sqlite-wal holds rows") as refused,
    ):
        sandbox.run(COUNT)
    assert refused.value.remedy is not None and "Open it once" in refused.value.remedy
    assert everything(tmp_path) == before


def test_a_hot_journal_is_refused_with_what_to_do_and_left_alone(tmp_path: Path) -> None:
    path = killed(tmp_path, "DELETE")
    before = everything(tmp_path)
    assert len(before["app.sqlite-journal"]) > 0
    with (
        Sandbox(path) as sandbox,
        pytest.raises(DatabaseError, match=r"app\.sqlite-journal holds a change") as refused,
    ):
        sandbox.run(COUNT)
    assert "\n" not in refused.value.message
    with pytest.raises(DatabaseError, match="journal"):
        inspection(path)
    assert everything(tmp_path) == before
    with closing(sqlite3.connect(path)) as owner:
        assert owner.execute(COUNT).fetchone() == (300,)
    with Sandbox(path) as sandbox:
        assert sandbox.run(COUNT).rows == ((300,),)


def test_a_journal_beside_an_empty_file_is_not_taken_away(tmp_path: Path) -> None:
    """SQLite deletes the journal of a file without pages, where it may write."""
    killed(tmp_path, "DELETE")
    shutil.copy(tmp_path / "app.sqlite-journal", tmp_path / "new.sqlite-journal")
    (tmp_path / "new.sqlite").touch()
    before = everything(tmp_path)
    with Sandbox(tmp_path / "new.sqlite") as sandbox:
        sandbox.run("SELECT count(*) FROM sqlite_master")
    assert everything(tmp_path) == before


def test_a_living_writers_rows_are_seen_as_they_are_committed(tmp_path: Path) -> None:
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer, Sandbox(path) as sandbox:
        writer.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (a)")
        for count in range(1, 6):
            writer.execute("INSERT INTO t VALUES (1)")
            before = everything(tmp_path)
            assert sandbox.run(COUNT).rows == ((count,),)
            assert everything(tmp_path) == before
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (1)")
        assert sandbox.run(COUNT).rows == ((5,),)
        writer.execute("COMMIT")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert sandbox.run(COUNT).rows == ((6,),)
        assert set(everything(tmp_path)) == {"app.sqlite", "app.sqlite-shm", "app.sqlite-wal"}


READ = """
import ctypes, os, sys
if sys.argv[3:]:  # root passes over rights, unless it gives that up and starts anew
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-c", os.environ["CODE"], *sys.argv[1:3]])
from luciola.sql.database.sandbox import Sandbox
try:
    open(sys.argv[1] + ".probe", "x")
except PermissionError:
    with Sandbox(sys.argv[1]) as sandbox:
        print(sandbox.run(sys.argv[2]).rows)
else:
    os.remove(sys.argv[1] + ".probe")
    print("root could not give up its rights")
"""


def test_a_folder_that_may_not_be_written_to_is_read(tmp_path: Path) -> None:
    path = killed(tmp_path, "WAL")
    before = everything(tmp_path)
    tmp_path.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ, str(path), COUNT, *["root"] * (os.geteuid() == 0)],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(Path(luciola.__file__).parents[1]), "CODE": READ},
        )
    finally:
        tmp_path.chmod(0o700)
    if "root could not" in done.stdout:
        pytest.skip("root cannot give up the right to write everywhere here")
    assert done.stdout.strip() == "((300,),)", done.stderr
    assert everything(tmp_path) == before
