"""One POST request: a reply of whatever status, or one sentence that says why none came."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from luciola.http.address import hidden, is_here, secrets_in
from luciola.http.deadline import Deadline
from luciola.http.words import cut

MOST_BYTES = 32 << 20
PIECE_BYTES = 1 << 16
JSON = "application/json"


@dataclass(frozen=True)
class Received:
    """A server's reply, of whatever status.

    Args:
        status: of HTTP.
        text: the body, without the key.
        reason: what the server calls the status, e.g. Not Found.
        pause_s: how long the server wants to be left alone; None where it does not say.
        moved_to: where it sends us instead; "" where it does not.
    """

    status: int
    text: str
    reason: str = ""
    pause_s: float | None = None
    moved_to: str = ""


class NoReplyError(Exception):
    """No whole reply came; its text goes on from the server's name: "cannot be reached: …".

    Args:
        timed_out: whether time was up.
    """

    def __init__(self, problem: str, *, timed_out: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.timed_out = timed_out


def post(
    url: str, body: bytes, *, timeout_s: float, key: str = "", content_type: str = JSON
) -> Received:
    """Send a body and receive text.

    Args:
        timeout_s: for the whole request, from the look-up of the host to the last byte.
        key: sent as `Authorization: Bearer KEY`; "" sends none.

    Raises: NoReplyError, whose text never holds a key.
    """
    headers = {"Content-Type": content_type, "Accept": JSON}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return _posted(Request(url, body, headers), (key, *secrets_in(url, named=True)), timeout_s)
    except (OSError, HTTPException, UnicodeError) as error:  # the last from a host's name
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            said = f"sent no answer within {timeout_s:g} s"
            raise NoReplyError(said, timed_out=True) from error
        raise NoReplyError(hidden(_broken(error, reason), (key, *secrets_in(url)))) from error


def _posted(request: Request, keys: tuple[str, ...], timeout_s: float) -> Received:
    with Deadline(timeout_s) as deadline:
        try:
            opener = _opener(request.full_url, deadline)
            with opener.open(request, timeout=timeout_s) as reply:
                text = _text(reply.headers, reply)
                received = Received(reply.status, hidden(text, keys), reply.reason or "")
        except HTTPError as error:
            with error:
                received = _refused(error, (*keys, *secrets_in(request.full_url)))
    return received


def _refused(error: HTTPError, secrets: tuple[str, ...]) -> Received:
    """A status that is no success; all that may be a key is hidden, since it will be shown."""
    text, headers = _text(error.headers, error.fp), error.headers
    pause_s, moved_to = pause_of(headers), headers.get("Location", "")
    return Received(error.code, hidden(text, secrets), str(error.reason), pause_s, moved_to)


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


def _broken(error: Exception, reason: object) -> str:
    """What went wrong with a connection, in words that go on from the server's name."""
    if isinstance(error, IncompleteRead):
        return "broke off in the middle of its reply"
    if isinstance(error, RemoteDisconnected):
        return "closed the connection without a reply"
    if isinstance(error, HTTPException):
        return f"answered something that is no HTTP ({cut(str(error)) or type(error).__name__})"
    words = getattr(reason, "strerror", None) or reason or type(error).__name__
    if str(words).startswith("the reply "):
        return f"cannot be understood: {words}"
    return f"cannot be reached: {words}"


def _text(headers: Message, stream: IO[bytes] | HTTPResponse) -> str:
    return _unpacked(_read(stream), headers.get("Content-Encoding", "")).decode(errors="replace")


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


class _Stay(HTTPRedirectHandler):
    """Follows nobody: the key would go along to another server, and the body would not."""

    def redirect_request(self, *_: Any) -> None:
        """No request."""


class _Http(HTTPHandler):
    """Connections that a deadline ends."""

    def __init__(self, deadline: Deadline) -> None:
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

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, request: Request) -> HTTPResponse:
        """As its parent, with connections of the deadline's."""

        def made(host: str, **settings: Any) -> HTTPSConnection:
            connection = HTTPSConnection(host, **settings)
            connection._create_connection = self._deadline.connect  # type: ignore[attr-defined]
            return connection

        return self.do_open(made, request)


def _opener(url: str, deadline: Deadline) -> OpenerDirector:
    own = (_Stay, _Http(deadline), _Https(deadline))
    return build_opener(*own, ProxyHandler({})) if is_here(url) else build_opener(*own)
