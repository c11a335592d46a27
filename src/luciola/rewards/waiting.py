"""A slow reward: the log says that it is waited for, and a limit in the recipe ends it."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from luciola.errors import RewardError

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""Seconds until the first word."""
USUAL = 3.0
"""A reward that has taken long before is given this many times as long."""
AGAIN_S = 1.0
"""Seconds until a function that swallowed its end is told again."""

_overdue: set[str] = set()
_longest: dict[str, float] = {}


class TimeUpError(BaseException):
    """Ends a function in the main thread; no `except Exception` of a person's holds it."""


def is_overdue() -> bool:
    """Whether a reward is being waited for that has said so: then Ctrl-C may end it at once."""
    return bool(_overdue)


@contextmanager
def watched(name: str, count: int) -> Iterator[None]:
    """Say now and then that the reward `name` is being waited for, with `count` answers."""
    done, began = threading.Event(), time.monotonic()
    first = max(PATIENCE_S, USUAL * _longest.get(name, 0.0))

    def tell() -> None:
        pause = first
        while not done.wait(pause):
            _overdue.add(name)
            log.warning(
                "waiting for the reward %s: %.0f s so far, for %d answers; Ctrl-C ends the run "
                "at once, and its last checkpoint stays",
                name,
                time.monotonic() - began,
                count,
            )
            pause = min(2 * pause, 600.0)

    threading.Thread(target=tell, daemon=True, name="luciola-waiting").start()
    try:
        yield
        _longest[name] = max(_longest.get(name, 0.0), time.monotonic() - began)
    finally:
        done.set()
        _overdue.discard(name)


@contextmanager
def limited(name: str, seconds: float, count: int) -> Iterator[None]:
    """End what runs in the main thread after `seconds`; 0: never.

    Raises: RewardError where it took longer.
    """
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeUpError

    before: Any = signal.signal(signal.SIGALRM, end)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    except TimeUpError:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise too_slow(name, seconds, count) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def outcome_within(
    wait: Callable[[float | None], T], name: str, left: float, count: int, *, said: float
) -> T:
    """What `wait(seconds)` returns, which raises TimeoutError where it has not come by then.

    Args:
        left: of the `said` seconds of the limit; 0: there is none.

    Raises: RewardError where the limit is over.
    """
    try:
        return wait(left or None)
    except TimeoutError as error:
        if not left:
            raise
        raise too_slow(name, said, count) from error


def too_slow(name: str, seconds: float, count: int) -> RewardError:
    """The error for a reward that did not come in time."""
    return RewardError(
        f"the reward {name} did not give its scores within reward_timeout={seconds:g} seconds, "
        f"for {count} answers",
        remedy="The last checkpoint is kept: run the same command again to go on from there, "
        "with a larger reward_timeout where it needs more.",
    )
