"""One request over HTTP: what was received, within a time that holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPRedirectHandler,
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
    end = time.monotonic() + timeout_s
    try:
        with _opener(url).open(Request(url, body, headers), timeout=timeout_s) as response:
            return _received(response.status, response.headers, response, end)
    except HTTPError as error:
        with error:
            return _received(error.code, error.headers, error.fp, end)


def _received(status: int, headers: Message, stream: IO[bytes] | HTTPResponse, end: float) -> Any:
    text = _read(stream, end).decode(errors="replace")
    return Received(status, text, pause_of(headers), headers.get("Location", ""))


def _read(stream: IO[bytes] | HTTPResponse, end: float) -> bytes:
    """All bytes, before `end` on the clock."""
    pieces: list[bytes] = []
    while piece := stream.read1(PIECE_BYTES):  # type: ignore[union-attr]
        pieces.append(piece)
        if time.monotonic() > end:
            raise TimeoutError("timed out in the middle of the reply")
        if sum(map(len, pieces)) > MOST_BYTES:
            raise OSError(f"the reply has more than {MOST_BYTES >> 20} MiB")
    return b"".join(pieces)


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


def _opener(url: str) -> OpenerDirector:
    return build_opener(_Stay, ProxyHandler({})) if is_here(url) else build_opener(_Stay)
