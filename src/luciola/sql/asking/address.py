"""Where a server's two ways of answering are, and the key that it wants."""

from __future__ import annotations

import logging
import os
import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

from luciola.errors import ConfigError

log = logging.getLogger(__name__)

HERE = ("localhost", "127.0.0.1", "::1")
"""Servers on this machine, which are never asked through a proxy."""
ENDINGS = ("/chat/completions", "/completions")


SHORTEST_KEY = 6
"""Letters; a shorter value of a query is a version or a flag."""


def is_here(url: str) -> bool:
    """Whether a server runs on this machine."""
    return urlsplit(url).hostname in HERE


def place_of(url: str, *, chat: bool) -> str:
    """The address that prompts go to; `url` is what stands before it, or all of it.

    An address without a path gets `/v1`; a query (`?api-version=…`) stays at the end.

    Raises: ConfigError where it is no address, or holds a password.
    """
    parts = _checked(url)
    path = parts.path.rstrip("/") or "/v1"
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    return parts._replace(path=path + ENDINGS[0 if chat else 1], fragment="").geturl()


def shown(url: str) -> str:
    """The address as it may stand in messages: its query, its user and its password may be keys."""
    visible = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([^/]*//)?[^/]*@", lambda match: match[1] or "", visible)


def secrets_in(url: str) -> list[str]:
    """The values in an address that may be keys: those of its query, as sent and as read."""
    query = urlsplit(url).query
    sent = [part.partition("=")[2] for part in query.split("&")]
    read = [value for _, value in parse_qsl(query)]
    found = {value for value in (*sent, *read) if len(value) >= SHORTEST_KEY}
    return sorted(found, key=len, reverse=True)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii()
        _ = parts.port  # a ValueError where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{shown(url)!r} is no address of a server",
            remedy="Write http://HOST:PORT/v1, or https://HOST/v1.",
        )
    if parts.username or parts.password:
        raise ConfigError(
            f"the address of {parts.hostname} holds a password",
            remedy="Keys are read from the environment; put it there.",
        )
    return parts


def key_from(variable: str, url: str) -> str:
    """The key in a variable of the environment; "" where there is none.

    Raises: ConfigError, without the key, where it cannot be sent.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key in {variable} has letters that no key has",
            remedy="Copy it again, without quotes, blanks and line ends.",
        )
    if key and url.startswith("http:") and not is_here(url):
        log.warning("the key in %s goes to %s unencrypted; use https", variable, shown(url))
    return key
