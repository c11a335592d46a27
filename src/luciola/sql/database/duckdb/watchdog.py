"""One thread that interrupts a query at its limit.

It is started once: after a query that took all the memory, a new thread could not be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STACK_BYTES = 256 * 1024


class Watchdog:
    """Calls `interrupt` once where `stop` does not come in time."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self.interrupt = interrupt
        self.changed = threading.Condition()
        self.deadline: float | None = None
        self.is_late = False
        usual = threading.stack_size(STACK_BYTES)
        threading.Thread(target=self._watch, daemon=True).start()
        threading.stack_size(usual)

    def start(self, seconds: float) -> None:
        """Begin to count."""
        with self.changed:
            self.deadline, self.is_late = time.monotonic() + seconds, False
            self.changed.notify()

    def stop(self) -> bool:
        """End counting; whether the limit was passed."""
        with self.changed:
            self.deadline = None
            self.changed.notify()
            return self.is_late

    def _watch(self) -> None:
        with self.changed:
            while True:
                left = None if self.deadline is None else self.deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.deadline, self.is_late = None, True
                    self.interrupt()
                else:
                    self.changed.wait(left)
