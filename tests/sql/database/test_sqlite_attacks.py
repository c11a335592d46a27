"""Nearly 500 hostile statements: nothing is written, no other file is read, every limit holds."""

from __future__ import annotations

import re
import resource
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from luciola.errors import SqlError, SqlForbiddenError, SqlInvalidError
from luciola.sql.database.limits import MIB
from luciola.sql.database.sandbox import Sandbox
from sqlite_attacks import attacks, database, written_out

PARTS = 8
TIMEOUT_S = 0.25
MARK = "only in the other file"
GIB = 1024 * MIB


def outcome(sandbox: Sandbox, sql: str) -> tuple[str, str]:
    try:
        return "runs", str(sandbox.run(sql).rows)
    except SqlForbiddenError as error:
        return "forbidden", str(error)
    except SqlInvalidError as error:
        return "invalid", str(error)
    except SqlError as error:
        return "limit", str(error)


def peak_bytes(sandbox: Sandbox) -> int:
    """The most memory that the worker ever had."""
    process = sandbox._workers[0]._process
    if process is None:
        return 0
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def test_there_are_enough_of_them() -> None:
    assert len(attacks()) >= 300


@pytest.mark.parametrize("part", range(PARTS))
def test_no_statement_writes_reads_another_file_or_passes_a_limit(
    part: int, tmp_path: Path
) -> None:
    path = database(tmp_path / "shop.sqlite")
    with closing(sqlite3.connect(tmp_path / "secret.sqlite")) as other, other:
        other.execute("CREATE TABLE t (a)")
        other.execute("INSERT INTO t VALUES (?)", (MARK,))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with Sandbox(
        path,
        timeout_s=TIMEOUT_S,
        max_rows=1_000,
        max_memory_bytes=64 * MIB,
        max_result_bytes=MIB,
    ) as sandbox:
        for attack in attacks()[part::PARTS]:
            sandbox.run("SELECT 1")  # a worker that was killed is replaced outside the clock
            started = time.monotonic()
            seen, said = outcome(sandbox, written_out(attack.sql))
            taken = time.monotonic() - started
            assert seen in attack.outcomes, (attack.sql, seen, said)
            assert taken < TIMEOUT_S + 1, attack.sql
            assert MARK not in said and "root:" not in said, attack.sql
            assert len(said) < 8 * MIB and (seen == "runs" or "\n" not in said.split("\n  →")[0])
            assert peak_bytes(sandbox) < GIB, attack.sql
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((2,),)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert not Path("/tmp/luciola-copy.sqlite").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < own + GIB
