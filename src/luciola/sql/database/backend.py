"""The memory of the server's process that answers us, where the server is on this machine.

A server has no limit of its own for the memory of one query (PostgreSQL), and its process shows in
/proc only here; elsewhere nothing is known, and `used` says 0.
"""

from __future__ import annotations

import os
from pathlib import Path


class ServerMemory:
    """What the process `pid` has taken since now; 0 where it is not the server that is meant."""

    def __init__(self, pid: int, name: bytes) -> None:
        self.file = Path(f"/proc/{pid}/statm")
        self.known = self._is(pid, name)
        self.start = self._private() if self.known else 0

    def used(self) -> int:
        """Bytes of private memory more than at the start."""
        return max(0, self._private() - self.start) if self.known else 0

    def _private(self) -> int:
        try:
            _, resident, shared = self.file.read_text().split()[:3]
        except OSError:
            return 0
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")

    @staticmethod
    def _is(pid: int, name: bytes) -> bool:
        try:
            return name in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
