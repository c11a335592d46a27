"""A time limit for a whole request: looking up the host, connecting, and every byte.

A time limit of a socket holds between two bytes only, and a server may send one a second for ever.
So a timer ends the connection, whatever it is waiting for: a proxy, TLS, headers or the body.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from types import TracebackType
from typing import Any

MESSAGE = "timed out before the end of the reply"


class Deadline:
    """Ends the connections that are made through it when time is up.

    Raises: TimeoutError at the end of its block, instead of whatever the broken connection raised.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._end_s = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def connect(self, address: tuple[str, int], *_: Any) -> socket.socket:
        """As `socket.create_connection`, with one limit for all addresses that a host has."""
        problem: OSError = TimeoutError(MESSAGE)
        for family, kind, protocol, _name, place in self._places(*address):
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(self._left_s())
                made.connect(place)
                self._keep(made)
            except OSError as error:
                made.close()
                problem = error
            else:
                return made
        raise problem

    def _places(self, host: str, port: int) -> list[Any]:
        """The addresses of a host; nothing can end a look-up, so it is waited for in a thread."""
        found: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=look_up, daemon=True, name="luciola-look-up").start()
        try:
            places = found.get(timeout=self._left_s())
        except queue.Empty:
            raise TimeoutError(MESSAGE) from None
        if isinstance(places, Exception):
            raise places
        return places

    def _left_s(self) -> float:
        left = self._end_s - time.monotonic()
        if left <= 0:
            raise TimeoutError(MESSAGE)
        return left

    def _keep(self, made: socket.socket) -> None:
        with self._lock:
            if self.is_over:
                raise TimeoutError(MESSAGE)
            # a second handle on the same connection stays ours under TLS, too
            self._sockets.append(socket.socket(fileno=os.dup(made.fileno())))

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            over = self.is_over
        if over and (error is None or isinstance(error, OSError | HTTPException)):
            raise TimeoutError(MESSAGE) from error
