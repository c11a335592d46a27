from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from luciola.errors import (
    DatabaseError,
    SqlForbiddenError,
    SqlInvalidError,
    SqlMemoryError,
    SqlRowsError,
    SqlSizeError,
    SqlTimeoutError,
)
from luciola.sql.database.limits import MIB
from luciola.sql.database.sandbox import Result, Sandbox

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
NUMBERS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) "
UNINTERRUPTIBLE = "SELECT instr(hex(zeroblob(7000000)), hex(zeroblob(3000000)) || '1')"


@pytest.fixture(scope="module")
def sandbox(shop: Path) -> Iterator[Sandbox]:
    with Sandbox(shop, timeout_s=5.0, max_memory_bytes=64 * MIB) as sandbox:
        yield sandbox


def test_a_query_returns_columns_and_rows(sandbox: Sandbox) -> None:
    result = sandbox.run("SELECT name, 1.5 AS x, NULL, x'00ff' FROM shop WHERE id < 3;")
    assert result.columns == ("name", "x", "NULL", "x'00ff'")
    assert result.rows == (("Corner", 1.5, None, b"\0\xff"), ("Harbour", 1.5, None, b"\0\xff"))
    assert 0 < result.seconds < 1 and not result.truncated


@pytest.mark.parametrize(
    ("sql", "wish"),
    [
        ("DELETE FROM shop", "delete from shop"),
        ("INSERT INTO shop (id) VALUES (9)", "insert into shop"),
        ("REPLACE INTO shop (id) VALUES (1)", "insert into shop"),
        ("WITH x AS (SELECT 9) INSERT INTO shop (id) SELECT * FROM x RETURNING id", "insert"),
        ("UPDATE shop SET name = 'x'", "update shop"),
        ("DROP TABLE shop", "change the schema"),
        ("ALTER TABLE shop RENAME TO x", "alter a table"),
        ("CREATE TABLE x (a)", "change the schema"),
        ("CREATE TEMP TABLE x AS SELECT 1", "change the schema"),
        ("CREATE TEMP VIEW x AS SELECT 1", "change the schema"),
        ("CREATE VIRTUAL TABLE x USING fts5(a)", "change the schema"),
        ("ATTACH ':memory:' AS x", "attach another database"),
        ("DETACH main", "detach a database"),
        ("PRAGMA user_version", "run PRAGMA user_version"),
        ("PRAGMA query_only = 0", "run PRAGMA query_only"),
        ("SELECT * FROM pragma_table_info('shop')", "wants to"),
        ("VACUUM", "wants to"),
        ("VACUUM INTO 'copy.sqlite'", "wants to"),
        ("BEGIN IMMEDIATE", "transaction"),
        ("SAVEPOINT a", "savepoint"),
        ("ANALYZE", "wants to"),
        ("REINDEX", "rebuild an index"),
        ("SELECT load_extension('x')", r"call load_extension\(\)"),
        ("SELECT fts3_tokenizer('simple')", r"call fts3_tokenizer\(\)"),
    ],
)
def test_all_but_reading_is_refused(sandbox: Sandbox, sql: str, wish: str) -> None:
    with pytest.raises(SqlForbiddenError, match=wish):
        sandbox.run(sql)
    assert sandbox.run("SELECT count(*) FROM shop").rows == ((4,),)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT nought FROM shop", "no such column: nought"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT readfile('/etc/hostname')", "no such function"),
        ("SELECT ?", "bindings"),
        ("UPDATE sqlite_master SET sql = ''", "may not be modified"),
        ("", "no query"),
        ("-- nothing", "no query"),
        ("SELECT 1\0", "null character"),
        ("SELECT '\ud800'", "surrogates"),
        ("SELECT " + "(" * 500 + "1" + ")" * 500, "overflow|depth"),
        (" UNION ".join(["SELECT 1"] * 200), "too many terms"),
    ],
)
def test_what_sqlite_does_not_understand_is_invalid(
    sandbox: Sandbox, sql: str, reason: str
) -> None:
    with pytest.raises(SqlInvalidError, match=reason):
        sandbox.run(sql)


def test_functions_that_only_compute_are_allowed(sandbox: Sandbox) -> None:
    row = sandbox.run(
        "SELECT json_extract('[7]', '$[0]'), strftime('%Y', '2020-02-03'), round(sqrt(2), 2),"
        " (SELECT group_concat(value) FROM json_each('[1,2]'))"
    )
    assert row.rows == ((7, "2020", 1.41, "1,2"),)


def test_full_text_search_works(tmp_path: Path, sandbox: Sandbox) -> None:
    connection = sqlite3.connect(tmp_path / "words.sqlite")
    connection.executescript(
        "CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('fire fly')"
    )
    connection.close()
    found = sandbox.run(
        "SELECT body FROM words WHERE words MATCH 'fly'", database=tmp_path / "words.sqlite"
    )
    assert found.rows == (("fire fly",),)


def test_a_query_that_loops_for_ever_is_stopped_at_the_limit(shop: Path) -> None:
    with Sandbox(shop, timeout_s=0.2) as sandbox:
        started = time.monotonic()
        with pytest.raises(SqlTimeoutError, match=r"longer than 0\.2 s"):
            sandbox.run(ENDLESS)
        assert time.monotonic() - started < 1.2  # the limit and a second
        assert sandbox.run("SELECT 1").rows == ((1,),)


def test_what_sqlite_cannot_interrupt_is_killed_and_the_worker_replaced(shop: Path) -> None:
    with Sandbox(shop, timeout_s=0.1) as sandbox, pytest.raises(SqlTimeoutError):
        sandbox.run(UNINTERRUPTIBLE)
        assert sandbox.run("SELECT 1").rows == ((1,),)


def test_too_many_rows_are_an_error_or_cut(shop: Path) -> None:
    with Sandbox(shop, max_rows=10) as sandbox:
        ten, eleven = (NUMBERS.format(count) + "SELECT x FROM c" for count in (10, 11))
        assert len(sandbox.run(ten).rows) == 10
        with pytest.raises(SqlRowsError, match="more than 10 rows"):
            sandbox.run(eleven)
        cut = sandbox.run(eleven, truncate=True)
        assert len(cut.rows) == 10 and cut.truncated
        assert not sandbox.run(ten, truncate=True).truncated


def test_a_result_that_is_too_large_is_an_error_of_its_own(shop: Path) -> None:
    with Sandbox(shop, max_result_bytes=100_000) as sandbox:
        assert len(str(sandbox.run("SELECT hex(zeroblob(49000))").rows[0][0])) == 98_000
        for sql in (
            "SELECT zeroblob(100001)",
            "SELECT hex(zeroblob(60000))",
            "SELECT length(hex(zeroblob(60000)))",
            NUMBERS.format(20) + "SELECT hex(zeroblob(4000)) FROM c",
            "SELECT group_concat(hex(zeroblob(20000))) FROM shop",
        ):
            with pytest.raises(SqlSizeError, match="larger than 100,000 bytes"):
                sandbox.run(sql)


def test_a_query_that_needs_too_much_memory_is_stopped(sandbox: Sandbox) -> None:
    heavy = "SELECT max(length(b)) FROM (SELECT zeroblob(4000000) AS b FROM c ORDER BY random())"
    with pytest.raises(SqlMemoryError, match="64 MiB"):
        sandbox.run(NUMBERS.format(100) + heavy)
    assert sandbox.run("SELECT 1").rows == ((1,),)


def test_broken_bytes_in_text_are_left_out(sandbox: Sandbox) -> None:
    assert sandbox.run("SELECT CAST(x'61ff62' AS TEXT)").rows == (("ab",),)


def test_large_and_infinite_numbers_survive_the_way_back(sandbox: Sandbox) -> None:
    rows = sandbox.run("SELECT 9223372036854775807, 0.1 + 0.2, 1e999, -1e999").rows
    assert rows == ((9223372036854775807, 0.1 + 0.2, float("inf"), float("-inf")),)


def test_many_queries_give_results_and_errors_in_order(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE shop (id); INSERT INTO shop VALUES (7)")
    connection.close()
    count = "SELECT count(*) FROM shop"
    with Sandbox(workers=2) as sandbox:
        queries, databases = [count, "SELEC", count] * 20, [shop, shop, other] * 20
        answers = sandbox.run_many(queries, databases=databases)
    seen = [answer.rows if isinstance(answer, Result) else type(answer) for answer in answers]
    assert seen == [((4,),), SqlInvalidError, ((1,),)] * 20


def test_threads_share_a_sandbox(sandbox: Sandbox) -> None:
    found: list[object] = []

    def ask(number: int) -> None:
        found.extend(sandbox.run(f"SELECT {number}").rows[0][0] for _ in range(20))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([0, 1, 2, 3] * 20)


def test_a_database_that_is_missing_or_none_is_an_error_of_the_database(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "notes.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 4000)
    with pytest.raises(DatabaseError, match="no database file"):
        sandbox.run("SELECT 1", database=tmp_path / "gone.sqlite")
    with pytest.raises(DatabaseError, match="file is not a database"):
        sandbox.run("SELECT * FROM t", database=tmp_path / "notes.sqlite")
    assert not (tmp_path / "gone.sqlite").exists()


def test_a_database_that_changes_or_is_replaced_is_seen_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with Sandbox(path) as sandbox:
        for mode in ("DELETE", "DELETE", "WAL", "DELETE"):
            path.unlink(missing_ok=True)
            writer = sqlite3.connect(path)
            writer.executescript(f"PRAGMA journal_mode={mode}; CREATE TABLE t (a)")
            for count in range(3):
                assert sandbox.run("SELECT count(*) FROM t").rows == ((count,),)
                writer.execute("INSERT INTO t VALUES (1)")
                writer.commit()
            writer.close()
            assert sandbox.run("SELECT count(*) FROM t").rows == ((3,),)


def test_a_worker_that_was_killed_between_two_queries_is_replaced(sandbox: Sandbox) -> None:
    sandbox.run("SELECT 1")
    (worker,) = sandbox._workers
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    time.sleep(0.05)
    assert sandbox.run("SELECT 2").rows == ((2,),)


def test_a_worker_ends_when_its_parent_is_killed(shop: Path) -> None:
    code = f"""
from luciola.sql.database.sandbox import Sandbox
sandbox = Sandbox({str(shop)!r}, timeout_s=60)
sandbox.run("SELECT 1")
print(sandbox._workers[0]._process.pid, flush=True)
sandbox.run({ENDLESS!r})
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(50):
        if not is_running(worker):
            return
        time.sleep(0.1)
    raise AssertionError("the worker outlived its parent by five seconds")


def test_the_worker_knows_nothing_of_the_parents_environment(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("this system has no /proc")
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    with Sandbox(shop) as sandbox:
        sandbox.run("SELECT 1")
        process = sandbox._workers[0]._process
        assert process is not None
        assert b"SECRET_TOKEN" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_list_of_300_000_numbers_is_searched(shop: Path, sandbox: Sandbox) -> None:
    numbers = ",".join(map(str, range(300_000)))
    with Sandbox(shop) as usual:
        found = usual.run(f"SELECT count(*) FROM shop WHERE id IN ({numbers})")
    assert found.rows == ((4,),)
    with pytest.raises(SqlInvalidError, match="more than 4 MiB"):
        sandbox.run(f"SELECT '{'x' * (4 * MIB)}'")


def test_r_trees_and_old_search_indexes_can_be_read(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / "map.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE VIRTUAL TABLE area USING rtree(id, x0, x1); INSERT INTO area VALUES (1, 2, 3);"
        "CREATE VIRTUAL TABLE old USING fts4(body); INSERT INTO old VALUES ('fire fly');"
    )
    connection.close()
    for sql, rows in (
        ("SELECT id FROM area WHERE x0 <= 2.5 AND x1 >= 2.5", ((1,),)),
        ("SELECT body FROM old WHERE old MATCH 'fly'", (("fire fly",),)),
    ):
        assert sandbox.run(sql, database=path).rows == rows
    with pytest.raises(SqlForbiddenError):
        sandbox.run("DELETE FROM area_node", database=path)


def test_rows_that_are_only_counted_stay_in_the_worker(shop: Path) -> None:
    """`sql check` runs 200 gold queries at once, and asks only whether each returns a row."""
    with Sandbox(shop, max_rows=50, first_row=True) as sandbox:
        assert sandbox.run(NUMBERS.format(50) + "SELECT x FROM c").rows == ((1,),)
        assert sandbox.run("SELECT 1 WHERE 0").rows == ()
        with pytest.raises(SqlRowsError):
            sandbox.run(NUMBERS.format(51) + "SELECT x FROM c")
