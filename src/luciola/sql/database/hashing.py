"""Hashes of database files, taken in a process of their own.

POSIX drops all locks that a process holds on a file when it closes any descriptor of that file. So
a program that has a SQLite file open must not read it itself, not even to hash it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from luciola.errors import DatabaseError

COMMAND = [sys.executable, "-S", "-s", "-P", "-m", "luciola.sql.database.hashing"]


def hashes(files: Sequence[Path]) -> list[str]:
    """SHA-256 of each file's contents; "" for one that cannot be read.

    Raises: DatabaseError where the process that reads them fails.
    """
    if not files:
        return []
    asked = json.dumps([str(file.absolute()) for file in files])
    package = Path(__file__).parents[3]
    done = subprocess.run(
        COMMAND,
        input=asked.encode(),
        capture_output=True,
        env={"PYTHONPATH": str(package), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        problem = said[-1] if said else f"status {done.returncode}"
        raise DatabaseError(f"the databases could not be read for their hashes: {problem}")
    return [str(found) for found in json.loads(done.stdout)]


def _hash(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""


if __name__ == "__main__":
    print(json.dumps([_hash(file) for file in json.load(sys.stdin)]))
