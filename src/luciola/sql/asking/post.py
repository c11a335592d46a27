"""One request over HTTP: what was received, within a time that holds.

A time limit of a socket holds between two bytes only, and a server may send one a second for ever.
So a timer ends the connection, whatever it is waiting for: a proxy, headers or the body.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from types import TracebackType
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from luciola.sql.asking.address import is_here

MOST_BYTES = 32 << 20
PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Received:
    """A server's reply, of whatever status.

    Args:
        status: of HTTP.
        text: the body.
        pause_s: how long the server wants to be left alone; None where it does not say.
        moved_to: where it sends us instead; "" where it does not.
    """

    status: int
    text: str
    pause_s: float | None = None
    moved_to: str = ""


class _Stay(HTTPRedirectHandler):
    """Follows nobody: the key would go along to another server, and the body would not."""

    def redirect_request(self, *_: Any) -> None:
        """No request."""


def post(url: str, body: bytes, key: str, *, timeout_s: float) -> Received:
    """Send JSON and receive text.

    Args:
        key: sent as `Authorization: Bearer KEY`; "" sends none.
        timeout_s: until the last byte, and not only between two.

    Raises: OSError (a URLError and a TimeoutError are ones) or HTTPException where no whole reply
        came.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    with _Deadline(timeout_s) as deadline:
        try:
            opener = _opener(url, deadline)
            with opener.open(Request(url, body, headers), timeout=timeout_s) as response:
                received = _received(response.status, response.headers, response)
        except HTTPError as error:
            with error:
                received = _received(error.code, error.headers, error.fp)
    return received


class _Deadline:
    """Ends the connections that are made through it when time is up.

    Raises: TimeoutError at the end of its block, instead of whatever the broken connection raised.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def connect(self, *given: Any, **settings: Any) -> socket.socket:
        """As `socket.create_connection`."""
        made = socket.create_connection(*given, **settings)
        with self._lock:  # a second handle on the same connection stays ours under TLS, too
            self._sockets.append(socket.socket(fileno=os.dup(made.fileno())))
        return made

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
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
            raise TimeoutError("timed out before the end of the reply") from error


def _received(status: int, headers: Message, stream: IO[bytes] | HTTPResponse) -> Received:
    body = _unpacked(_read(stream), headers.get("Content-Encoding", ""))
    text = body.decode(errors="replace")
    return Received(status, text, pause_of(headers), headers.get("Location", ""))


def _read(stream: IO[bytes] | HTTPResponse) -> bytes:
    """All bytes."""
    pieces: list[bytes] = []
    length = 0
    while piece := stream.read1(PIECE_BYTES):  # type: ignore[union-attr]
        pieces.append(piece)
        length += len(piece)
        if length > MOST_BYTES:
            raise OSError(f"the reply has more than {MOST_BYTES >> 20} MiB")
    if missing := getattr(stream, "length", None):  # read1 does not say so itself
        raise IncompleteRead(b"", missing)
    return b"".join(pieces)


def _unpacked(body: bytes, encoding: str) -> bytes:
    """What was sent, unpacked where a server packs without being asked to."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise OSError(f"the reply is packed as {encoding[:20]!r}, which was not asked for")
    reader = zlib.decompressobj(wbits=47)  # gzip or zlib, by its first bytes
    try:
        unpacked = reader.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise OSError(f"the reply says {encoding} and cannot be unpacked") from error
    if reader.unconsumed_tail:
        raise OSError(f"the reply has more than {MOST_BYTES >> 20} MiB")
    return unpacked


def pause_of(headers: Message) -> float | None:
    """Seconds of Retry-After, which holds seconds or a date; None without one."""
    said = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


class _Http(HTTPHandler):
    """Connections that a deadline ends."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: Request) -> HTTPResponse:
        """As its parent, with connections of the deadline's."""

        def made(host: str, **settings: Any) -> HTTPConnection:
            connection = HTTPConnection(host, **settings)
            connection._create_connection = self._deadline.connect  # type: ignore[attr-defined]
            return connection

        return self.do_open(made, request)


class _Https(HTTPSHandler):
    """Connections that a deadline ends, encrypted."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, request: Request) -> HTTPResponse:
        """As its parent, with connections of the deadline's."""

        def made(host: str, **settings: Any) -> HTTPSConnection:
            connection = HTTPSConnection(host, **settings)
            connection._create_connection = self._deadline.connect  # type: ignore[attr-defined]
            return connection

        return self.do_open(made, request)


def _opener(url: str, deadline: _Deadline) -> OpenerDirector:
    own = (_Stay, _Http(deadline), _Https(deadline))
    return build_opener(*own, ProxyHandler({})) if is_here(url) else build_opener(*own)
