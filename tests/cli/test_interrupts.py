"""Ctrl-C ends a command at once, also while a database never answers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import luciola
from support import write_model

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
HANGING = "SELECT count(*) FROM hanging"
AT_ONCE_S = 5.0
"""Until the process has gone: the limit of a query is a hundred seconds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Databases in one of which a view never ends, questions about it, and a model."""
    database = tmp_path / "database" / "shop"
    database.mkdir(parents=True)
    with closing(sqlite3.connect(database / "shop.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.execute(f"CREATE VIEW hanging AS {ENDLESS}")
    rows = [{"db_id": "shop", "question": f"How many {n}?", "query": HANGING} for n in range(8)]
    (tmp_path / "dev.json").write_text(json.dumps(rows))
    (tmp_path / "gold.sql").write_text(f"{HANGING}\tshop\n" * 8)
    (tmp_path / "answers.sql").write_text("SELECT 1\n" * 8)
    write_model(tmp_path / "model", context=1024)
    return tmp_path


SHOP = "database/shop/shop.sqlite"
COMMANDS = {
    "check": ["check", ".", "--timeout", "100"],
    "check one": ["check", SHOP, "--pairs", "dev.json", "--timeout", "100"],
    "inspect": ["inspect", SHOP, "--tables", "hanging"],
    "eval": ["eval", SHOP, "--pairs", "dev.json", "--predictions", "answers.sql"],
    "official": ["eval", "--gold", "gold.sql", "--predictions", "answers.sql", "--databases",
                 "database", "--metrics", "ex"],
    "train": ["train", SHOP, "--pairs", "dev.json", "model=model", "pair_timeout=100"],
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "train" else ()) for n in COMMANDS]
)
def test_ctrl_c_ends_it_at_once(folder: Path, name: str) -> None:
    command = COMMANDS[name]
    if command[0] == "eval":
        command = [*command, "--timeout", "100"]
    process = subprocess.Popen(
        [sys.executable, "-m", "luciola", "sql", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(luciola.__file__).parents[1])},
        start_new_session=True,
    )
    try:
        workers = hanging_workers(process)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = process.communicate(timeout=AT_ONCE_S)
        assert time.monotonic() - began < AT_ONCE_S
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert said.strip().endswith("interrupted") and "Traceback" not in said
    deadline = time.monotonic() + 3
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker goes on"
        time.sleep(0.05)


def hanging_workers(process: subprocess.Popen[str]) -> list[int]:
    """The workers of a command, once one has computed for a while."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("this system does not tell the children of a process")
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        found = [
            int(pid)
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]
        if any(seconds_of(pid) > 0.7 for pid in found):
            return found
        time.sleep(0.1)
    raise AssertionError("no worker computes")


def seconds_of(pid: int) -> float:
    """Processor time that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
