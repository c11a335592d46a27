"""A server's URL taken apart, leniently: passwords need not be percent-encoded.

    postgresql+psycopg://user:p@ss/word@host:5432/name?sslmode=require

The password ends at the last `@`. `***` stands for one that was hidden where the URL was kept: it
is no password (one of three asterisks is written %2A%2A%2A), and is looked for elsewhere. Two hosts
and services by name are left to the drivers' own settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

HIDDEN = "***"


@dataclass(frozen=True)
class Address:
    """Where a server is, and who asks; empty texts and port 0 are the driver's to choose."""

    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int = 0
    name: str = ""
    options: dict[str, str] = field(default_factory=dict, repr=False)


def parse_url(url: str) -> Address:
    """The parts of `url`. Raises: ValueError, which never shows what stands in the URL."""
    _, _, rest = url.partition("://")
    login, _, place = rest.rpartition("@")
    place, _, query = place.partition("?")
    place, _, name = place.partition("/")
    user, _, password = login.partition(":")
    host, port = _host_and_port(place)
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("what follows the question mark is not key=value") from None
    options = {key: value for key, value in given if value != HIDDEN}
    password = "" if password == HIDDEN else unquote(password)
    return Address(unquote(user), password, host, port, unquote(name), options)


def _host_and_port(place: str) -> tuple[str, int]:
    if place.startswith("["):
        host, closed, port = place[1:].partition("]")
        if not closed:
            raise ValueError("the host's bracket is not closed")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("the port is not a number from 1 to 65535")
    return unquote(host), int(port or 0)
