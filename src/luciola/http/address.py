"""Addresses of servers: whether they can be meant, and how they may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, urlsplit

from luciola.errors import ConfigError

HERE = ("localhost", "127.0.0.1", "::1")
"""Servers on this machine, which are never asked through a proxy."""
SHORTEST_KEY = 6
"""Letters; a shorter value of a query is a version or a flag."""
NAMES_OF_KEYS = re.compile(r"key|token|secret|sig|auth|passw|code", re.IGNORECASE)


def is_here(url: str) -> bool:
    """Whether a server runs on this machine."""
    return urlsplit(url).hostname in HERE


def checked(url: str, *, of: str, remedy: str, password: str) -> SplitResult:
    """The parts of an address of http or https.

    Args:
        of: what it should be the address of, e.g. "a server".
        remedy: what to do if it is no address.
        password: what to do if it holds a user or a password.

    Raises: ConfigError, which shows neither password nor query.
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii()
        _ = parts.port  # a ValueError where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{shown(url)!r} is no address of {of}", remedy=remedy)
    if parts.username or parts.password:
        raise ConfigError(f"the address of {parts.hostname} holds a password", remedy=password)
    return parts


def shown(url: str) -> str:
    """The address as it may stand in messages: its query, its user and its password may be keys."""
    visible = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"^([^/]*//)?[^/]*@", lambda match: match[1] or "", visible)


def secrets_in(url: str, *, named: bool = False) -> list[str]:
    """The values in an address that may be keys: those of its query, as sent and as read.

    Args:
        named: only those whose name says that they are one, such as `api_key`.
    """
    query = urlsplit(url).query
    sent = [(name, value) for name, _, value in (part.partition("=") for part in query.split("&"))]
    found = {
        value
        for name, value in (*sent, *parse_qsl(query))
        if len(value) >= SHORTEST_KEY and (not named or NAMES_OF_KEYS.search(name))
    }
    return sorted(found, key=len, reverse=True)


def hidden(text: str, secrets: Iterable[str]) -> str:
    """The text without what may be a key."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    return text
