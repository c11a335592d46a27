"""One process per run folder. The lock is the kernel's: it ends with the process in any case."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from luciola.errors import StorageError

NAME = ".lock"


class Lock:
    """Holds `folder/.lock` until it is released or the process dies.

    Raises: StorageError where another process holds it, with that process's id.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock = FileLock(self.path, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise StorageError(
                f"{folder} is in use: process {self._owner()} is training in it",
                remedy="Wait for it, stop it, or give this run its own folder with out=FOLDER.",
            ) from None
        self.path.write_text(f"{os.getpid()}\n", encoding="utf-8")

    def _owner(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            return self.path.read_text(encoding="utf-8").strip() or "unknown"
        return "unknown"

    def release(self) -> None:
        """Let others in. A second call does nothing. The file stays: removing it would race."""
        self._lock.release()
