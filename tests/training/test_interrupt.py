"""Ctrl-C while a run is under way."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from luciola.training.interrupt import interruptible


def test_the_first_ctrl_c_only_asks_and_says_so() -> None:
    """What it says comes from another thread: the main one may be in the middle of printing."""
    said: list[tuple[str, str]] = []
    told = threading.Event()

    def note(text: str) -> None:
        said.append((text, threading.current_thread().name))
        told.set()

    with interruptible(note) as interrupt:
        assert not interrupt.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        assert told.wait(5)
    assert "stopping after this step" in said[0][0]
    assert said[0][1] != "MainThread"


def test_the_second_ctrl_c_stops_at_once_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible(lambda _: None):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
