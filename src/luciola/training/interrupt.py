"""Ctrl-C and termination: finish the step, save, say how to go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = "stopping after this step, and saving; Ctrl-C again stops at once"


class Interrupt:
    """Whether somebody asked the run to stop.

    Args:
        note: told so, for people: a long evaluation may follow the step.
        at_once: whether the step may never end, so that the first time means now as well.
    """

    def __init__(
        self, note: Callable[[str], None], at_once: Callable[[], bool] = lambda: False
    ) -> None:
        self.asked = False
        self._at_once = at_once
        self._note = note

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked or self._at_once():  # the second time means now
            raise KeyboardInterrupt
        self.asked = True
        # Not here: the signal may have stopped the main thread in the middle of printing.
        threading.Thread(target=self._note, args=(STOPPING,), daemon=True).start()


@contextmanager
def interruptible(
    note: Callable[[str], None], at_once: Callable[[], bool] = lambda: False
) -> Iterator[Interrupt]:
    """Within it Ctrl-C and SIGTERM only set `asked`; a second one stops at once.

    Args:
        note: shows a line to a person.
        at_once: see `Interrupt`.
    """
    interrupt = Interrupt(note, at_once)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # signals reach the main thread only
        return
    before: dict[int, Any] = {
        number: signal.signal(number, interrupt._handle)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
