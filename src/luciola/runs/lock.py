"""One process per run folder. The lock is the kernel's: it ends with the process in any case."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from luciola.errors import StorageError


class Lock:
    """Holds `folder/.lock` until it is released or the process dies.

    Raises: StorageError where another process holds it, with that process's id.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".lock"
        self._file = self.path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise StorageError(
                f"{folder} is in use: process {owner} is training in it",
                remedy="Wait for it, stop it, or give this run its own folder with out=FOLDER.",
            ) from None
        os.register_at_fork(after_in_child=self._file.close)  # a child that survives holds nothing
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let others in. A second call does nothing. The file stays: removing it would race."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # closing alone would leave it to our children
            self._file.close()
