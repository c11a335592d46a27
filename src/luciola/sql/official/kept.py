"""Results of gold queries within a bound of memory: what was asked for last stays."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from pathlib import Path

from luciola.errors import LuciolaError
from luciola.sql.database.result import Result

Key = tuple[Path, str]
"""A database file and a query."""
Kept = Result | LuciolaError
LARGEST_SHARE = 4
"""One that takes more than this part of the bound is not kept: it would push out all others."""


class KeptResults:
    """A cache for any number of threads.

    Args:
        max_bytes: memory of all results together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._found: OrderedDict[Key, tuple[Kept, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Kept | None:
        """What is kept of a query; None where nothing is."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key][0]

    def keep(self, key: Key, result: Kept) -> None:
        """Keep a result, and drop those that were asked for longest ago, if there are too many."""
        size = memory_bytes(result, self.max_bytes // LARGEST_SHARE)
        if size > self.max_bytes // LARGEST_SHARE:
            return
        with self._lock:
            if key in self._found:
                return
            self._found[key] = (result, size)
            self.num_bytes += size
            while self.num_bytes > self.max_bytes:
                _, (_, dropped) = self._found.popitem(last=False)
                self.num_bytes -= dropped


def memory_bytes(result: Kept, enough: int) -> int:
    """The memory of a result in bytes, counted until it passes `enough`."""
    size = 1_000
    for row in result.rows if isinstance(result, Result) else ():
        size += sys.getsizeof(row) + sum(map(sys.getsizeof, row))
        if size > enough:
            break
    return size
