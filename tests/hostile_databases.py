"""Database files that somebody made to hurt: each builder writes one to a path."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

Build = Callable[[Path], None]
ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS a FROM c"
ROWS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) "
FILLED = (
    "CREATE TABLE t (a TEXT, b BLOB); CREATE INDEX i ON t (a); INSERT INTO t "
    + ROWS.format(300)
    + "SELECT 'row ' || x, zeroblob(200) FROM c;"
)


def script(text: str, *, schema: str = "") -> Build:
    """A file made by a script; `schema` then replaces the text of table t in the schema itself."""

    def build(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.create_function("nowhere", 1, lambda value: value, deterministic=True)
            connection.executescript(text)
            if schema:
                connection.execute("PRAGMA writable_schema=1")
                connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 't'", (schema,))
                connection.commit()

    return build


def master(**changes: object) -> Build:
    """A file whose schema row of table t is changed behind SQLite's back."""

    def build(path: Path) -> None:
        script(FILLED)(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA writable_schema=1")
            for column, value in changes.items():
                connection.execute(
                    f"UPDATE sqlite_master SET {column} = ? WHERE name = 't'", (value,)
                )
            connection.commit()

    return build


def damaged(offset: int, data: bytes, *, text: str = FILLED) -> Build:
    """A file with some bytes written over; a negative offset counts from the end."""

    def build(path: Path) -> None:
        script(text)(path)
        whole = bytearray(path.read_bytes())
        start = offset if offset >= 0 else len(whole) + offset
        whole[start : start + len(data)] = data
        path.write_bytes(bytes(whole))

    return build


def cut(size: int) -> Build:
    """A file that ends early."""

    def build(path: Path) -> None:
        script(FILLED)(path)
        path.write_bytes(path.read_bytes()[:size])

    return build


def grown(size: int) -> Build:
    """A file with a long hole behind it."""

    def build(path: Path) -> None:
        script(FILLED)(path)
        with path.open("r+b") as file:
            file.truncate(size)

    return build


def beside(ending: str, data: bytes, *, text: str = FILLED) -> Build:
    """A file with another one beside it that is not what it should be."""

    def build(path: Path) -> None:
        script(text)(path)
        path.with_name(path.name + ending).write_bytes(data)

    return build


def raw(data: bytes) -> Build:
    return lambda path: path.write_bytes(data) and None


def socket(path: Path) -> None:
    import socket as sockets

    with closing(sockets.socket(sockets.AF_UNIX)) as made:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def many_tables(count: int) -> str:
    """Written into the schema directly: creating so many takes most of a minute."""
    return (
        "CREATE TABLE t (a); PRAGMA writable_schema=1; INSERT INTO sqlite_master "
        + ROWS.format(count)
        + "SELECT 'table', 't' || x, 't' || x, 2, 'CREATE TABLE t' || x || ' (a)' FROM c"
    )


def columns(count: int) -> str:
    return ", ".join(f"column_{i} TEXT" for i in range(count))


HEADER = b"SQLite format 3\0"
NESTED = "SELECT 1 AS a"
for _ in range(6):
    NESTED = f"SELECT a FROM ({NESTED})"
HOSTILE: dict[str, Build] = {
    # what is no file, or no database
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "socket": socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "loop": lambda path: path.symlink_to(path),
    "dangling": lambda path: path.symlink_to(path.parent / "gone"),
    "proc": lambda path: path.symlink_to("/proc/self/mem"),
    "empty": lambda path: path.touch(),
    "one byte": raw(b"S"),
    "text": raw(b"a,b\n1,2\n"),
    "magic alone": raw(HEADER),
    "magic and noise": raw(HEADER + os.urandom(5_000)),
    "magic and zeros": raw(HEADER + bytes(5_000)),
    "duckdb": raw(bytes(8) + b"DUCK" + bytes(5_000)),
    "zip": raw(b"PK\3\4" + bytes(5_000)),
    # headers that lie
    "page size 1": damaged(16, struct.pack(">H", 1)),
    "page size 512": damaged(16, struct.pack(">H", 512)),
    "page size 32768": damaged(16, struct.pack(">H", 32768)),
    "page size 3": damaged(16, struct.pack(">H", 3)),
    "reserved space": damaged(20, b"\xff"),
    "payload fractions": damaged(21, b"\0\0\0"),
    "file format": damaged(18, b"\7\7"),
    "says it has a log": damaged(18, b"\2\2"),
    "page count": damaged(28, struct.pack(">I", 2**31)),
    "free list": damaged(32, struct.pack(">II", 2, 2**30)),
    "free list in a loop": damaged(32, struct.pack(">II", 1, 100)),
    "schema format": damaged(44, struct.pack(">I", 99)),
    "encoding 9": damaged(56, struct.pack(">I", 9)),
    "encoding utf-16": damaged(56, struct.pack(">I", 2)),
    "vacuum": damaged(52, struct.pack(">I", 999)),
    # damaged pages
    "first page": damaged(100, b"\xff" * 200),
    "first page is empty": damaged(100, bytes(12)),
    "schema page": damaged(4096 - 400, os.urandom(400)),
    "table page": damaged(4096 + 8, b"\xff" * 500),
    "last page": damaged(-4096, os.urandom(4096)),
    "index page": damaged(2 * 4096, b"\x0a\0\0\xff\xff\xff\xff\0"),
    "cells that overlap": damaged(4096 + 8, b"\x0f\xf0" * 200),
    "a page that points at itself": damaged(4096, b"\5\0\0\0\1\x0f\xfb\0\0\0\0\2"),
    "cut within a page": cut(5_000),
    "cut after the header": cut(100),
    "cut within the header": cut(60),
    "a long hole behind": grown(3 * 2**30),
    # schemas that lie
    "root page 0": master(rootpage=0),
    "root page 1": master(rootpage=1),
    "root page far away": master(rootpage=2**31 - 1),
    "root page negative": master(rootpage=-5),
    "root page of another": master(rootpage=3),
    "type unknown": master(type="monster"),
    "name is a number": master(name=7),
    "name is null": master(name=None),
    "name is bytes": master(name=b"\xff\xfe"),
    "sql is no sql": master(sql="this is no SQL"),
    "sql is a query": master(sql="SELECT 1"),
    "sql is null": master(sql=None),
    "sql is bytes": master(sql=b"\xff\xfe"),
    "sql deletes": master(sql="DELETE FROM t"),
    "fewer columns": master(sql="CREATE TABLE t (a)"),
    "more columns": master(sql="CREATE TABLE t (a, b, c, d, e)"),
    "the same name twice": script(FILLED, schema="CREATE TABLE t (a TEXT, a BLOB)"),
    "huge schema text": script(
        FILLED, schema=f"CREATE TABLE t (a TEXT, b BLOB /*{'x' * 900_000}*/)"
    ),
    "deep default": script(
        FILLED, schema=f"CREATE TABLE t (a TEXT DEFAULT ({'(' * 90}1{')' * 90}), b BLOB)"
    ),
    # much of everything
    "10,000 tables": script(many_tables(10_000)),
    "1,900 columns": script(
        f"CREATE TABLE t ({columns(1_900)}); INSERT INTO t (column_0) VALUES (1)"
    ),
    "500 indexes": script(
        "BEGIN; CREATE TABLE t (a);"
        + "".join(f"CREATE INDEX i{n} ON t (a);" for n in range(500))
        + "COMMIT"
    ),
    "long names": script(f'CREATE TABLE "{"n" * 100_000}" ("{"c" * 100_000}" TEXT)'),
    "long cells": script(
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (replace(hex(zeroblob(9000000)), '0', 'x'))"
    ),
    "long blobs": script("CREATE TABLE t (a BLOB); INSERT INTO t VALUES (zeroblob(60000000))"),
    # names and texts
    "control codes": script(
        'CREATE TABLE "t\x1b[2J\x07" ("a\x1b]0;x\x07" TEXT); INSERT INTO "t\x1b[2J\x07" VALUES (\'\x1b[31m\')'  # noqa: E501
    ),
    "line ends": script('CREATE TABLE "t\nu\r\n" ("a\nb" TEXT, "c\u2028d" TEXT)'),
    "right to left": script('CREATE TABLE "\u202etable" ("\u2066a" TEXT)'),
    "quotes": script(
        'CREATE TABLE "t""\'`[x" ("a""\'`]" TEXT); INSERT INTO "t""\'`[x" VALUES (\'"\')'
    ),
    "empty names": script('CREATE TABLE "" ("" TEXT); INSERT INTO "" VALUES (\'x\')'),
    "names of SQL": script('CREATE TABLE "select" ("from" TEXT, "*" TEXT, "rowid" TEXT, "?" TEXT)'),
    "a name with a zero": script(
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x' || char(0) || 'y')"
    ),
    "text that is none": script(
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff41fe' AS TEXT))"
    ),
    "utf-16": script(
        "PRAGMA encoding='UTF-16le'; CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('é')"
    ),
    "odd utf-16": script(
        "PRAGMA encoding='UTF-16le'; CREATE TABLE t (a TEXT);"
        " INSERT INTO t VALUES (CAST(x'00d8' AS TEXT)), (CAST(x'41' AS TEXT))"
    ),
    "infinite numbers": script("CREATE TABLE t (a REAL); INSERT INTO t VALUES (9e999), (-9e999)"),
    # views, columns and modules that do not end or are not there
    "endless view": script(f"CREATE TABLE t (a); CREATE VIEW v AS {ENDLESS}"),
    "view of itself": script("CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM v"),
    "views in a circle": script(
        "CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM w; CREATE VIEW w AS SELECT * FROM v"
    ),
    "view of nothing": script("CREATE TABLE t (a); CREATE VIEW v AS SELECT * FROM gone"),
    "view that grows": script(
        "CREATE TABLE t (a); CREATE VIEW v0 AS SELECT 1 AS a;"
        + "".join(f"CREATE VIEW v{n + 1} AS SELECT x.a FROM v{n} x, v{n} y;" for n in range(14))
    ),
    "deep view": script(f"CREATE TABLE t (a); CREATE VIEW v AS {NESTED}"),
    "view with a hostile function": script(
        "CREATE TABLE t (a); CREATE VIEW v AS SELECT load_extension('x') AS a, readfile('/etc/passwd')"  # noqa: E501
    ),
    "trigger": script(
        "CREATE TABLE t (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN"
        " SELECT load_extension('x'); DELETE FROM t; END"
    ),
    "endless search index": script(
        f"CREATE VIEW v AS {ENDLESS}; CREATE VIRTUAL TABLE t USING fts5(a, content='v')"
    ),
    "endless old search index": script(
        f"CREATE VIEW v AS {ENDLESS}; CREATE VIRTUAL TABLE t USING fts4(content='v', a)"
    ),
    "search index without its tables": script(
        "CREATE VIRTUAL TABLE t USING fts5(a); INSERT INTO t VALUES ('x'); PRAGMA writable_schema=1;"  # noqa: E501
        " DELETE FROM sqlite_master WHERE name LIKE 't\\_%' ESCAPE '\\'"
    ),
    "search index with damaged data": script(
        "CREATE VIRTUAL TABLE t USING fts5(a); INSERT INTO t VALUES ('x');"
        " UPDATE t_data SET block = zeroblob(90)"
    ),
    "R-tree with damaged nodes": script(
        "CREATE VIRTUAL TABLE t USING rtree(a, b, c); INSERT INTO t VALUES (1, 2, 3);"
        " UPDATE t_node SET data = zeroblob(7)"
    ),
    "R-tree in a circle": script(
        "CREATE VIRTUAL TABLE t USING rtree(a, b, c); INSERT INTO t VALUES (1, 2, 3);"
        " UPDATE t_node SET data = x'00280001' || zeroblob(400)"
    ),
    "a module that is not there": master(
        rootpage=0, sql="CREATE VIRTUAL TABLE t USING spatialite(a, b)"
    ),
    "a module that reads files": master(
        rootpage=0, sql="CREATE VIRTUAL TABLE t USING csv(filename='/etc/passwd')"
    ),
    "a large generated column": script(
        "CREATE TABLE t (a, b TEXT GENERATED ALWAYS AS (hex(zeroblob(7000000))));"
        " INSERT INTO t (a) VALUES (1), (2), (3)"
    ),
    "a slow generated column": script(
        "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)",
        schema="CREATE TABLE t (a, b INT GENERATED ALWAYS AS"
        " (instr(hex(zeroblob(700000)), hex(zeroblob(300000)) || '1')))",
    ),
    "an index by a missing function": script(
        "CREATE TABLE t (a); CREATE INDEX i ON t (nowhere(a)); INSERT INTO t VALUES (1)"
    ),
    "a check that always fails": script(
        FILLED, schema="CREATE TABLE t (a TEXT CHECK (0), b BLOB NOT NULL)"
    ),
    "a foreign key to nowhere": script("CREATE TABLE t (a REFERENCES gone (x), b REFERENCES t)"),
    "a collation that is missing": script(
        FILLED, schema="CREATE TABLE t (a TEXT COLLATE nowhere, b BLOB)"
    ),
    # logs and journals that are none
    "a log of noise": beside("-wal", os.urandom(9_000)),
    "a log of noise in WAL mode": beside(
        "-wal", os.urandom(9_000), text="PRAGMA journal_mode=WAL;" + FILLED
    ),
    "a journal of noise": beside("-journal", b"\xd9\xd5\x05\xf9 \xa1\x63\xd7" + os.urandom(5_000)),
    "an index of noise": beside("-shm", os.urandom(32_768)),
}
