"""Where a server's two ways of answering are, and the key that it wants."""

from __future__ import annotations

import logging
import os

from luciola.errors import ConfigError
from luciola.http.address import checked, is_here, shown

log = logging.getLogger(__name__)

ENDINGS = ("/chat/completions", "/completions")


def place_of(url: str, *, chat: bool) -> str:
    """The address that prompts go to; `url` is what stands before it, or all of it.

    An address without a path gets `/v1`; a query (`?api-version=…`) stays at the end.

    Raises: ConfigError where it is no address, or holds a password.
    """
    parts = checked(
        url,
        of="a server",
        remedy="Write http://HOST:PORT/v1, or https://HOST/v1.",
        password="Keys are read from the environment; put it there.",
    )
    path = parts.path.rstrip("/") or "/v1"
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    return parts._replace(path=path + ENDINGS[0 if chat else 1], fragment="").geturl()


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
