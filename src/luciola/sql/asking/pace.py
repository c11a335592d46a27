"""How fast a server may be asked: requests and tokens per minute, and pauses that it asks for.

Requests are spread evenly instead of in bursts, because servers measure over seconds as well.
"""

from __future__ import annotations

import threading
import time

MINUTE_S = 60.0


class Stopped(Exception):  # noqa: N818  # no error: the work was given up from outside
    """Nobody waits for the answer any more."""


class Pace:
    """Gives turns, to any number of threads.

    Args:
        requests_per_minute: None: no limit.
        tokens_per_minute: of prompts and answers together; None: no limit.
    """

    def __init__(
        self, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self._request_s = MINUTE_S / requests_per_minute if requests_per_minute else 0.0
        self._token_s = MINUTE_S / tokens_per_minute if tokens_per_minute else 0.0
        self._lock = threading.Lock()
        self._next_request = self._next_token = self._pause_end = time.monotonic()

    def wait_for_turn(self, tokens: int, stop: threading.Event) -> None:
        """Wait until a request of about so many tokens may go out.

        Raises: Stopped where `stop` is set meanwhile.
        """
        left = self._reserve(tokens)
        while left > 0:  # a pause may begin while this waits
            rest(left, stop)
            left = self._pause_end - time.monotonic()

    def correct(self, estimated: int, counted: int) -> None:
        """The request took more or fewer tokens than was thought."""
        with self._lock:
            self._next_token += (counted - estimated) * self._token_s

    def pause(self, seconds: float) -> None:
        """Nobody gets a turn for so long."""
        with self._lock:
            self._pause_end = max(self._pause_end, time.monotonic() + seconds)

    def _reserve(self, tokens: int) -> float:
        """Take the next turn; returns seconds until it."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_request, self._next_token, self._pause_end)
            self._next_request = max(now, self._next_request) + self._request_s
            self._next_token = max(now, self._next_token) + tokens * self._token_s
            return turn - now


def rest(seconds: float, stop: threading.Event) -> None:
    """Sleep. Raises: Stopped as soon as `stop` is set."""
    if stop.wait(max(0.0, seconds)):
        raise Stopped
