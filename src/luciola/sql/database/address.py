"""Which database is meant: looked at by its name alone, since opening it is a worker's work.

What is shown and kept of a URL has `***` for its password; `url.parse_url` reads that as none.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from urllib.parse import quote, unquote

from luciola.errors import DatabaseError

URL = re.compile(r"(?P<dialect>[a-z][a-z0-9]*)(\+[a-z0-9_]+)?://(?P<rest>.*)", re.DOTALL)
FILE_OPTION = r"(?!(?:sslkey|ssl_key|passfile)=)"
"""Options whose names look secret, and whose values are paths."""
SECRET_OPTION = re.compile(
    rf"([?&]{FILE_OPTION}[^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE
)
NO_PORT = re.compile(r"^([^:/?\[]*):(?!\d{1,5}(?:[/?]|$)).+", re.DOTALL)
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def sqlite_path(database: str | Path) -> Path | None:
    """The absolute path of a SQLite file, or None where `database` is the URL of another system.

    The file is not opened: a process that closes a file loses its own locks on it, also those that
    another part of the program holds.
    Raises: DatabaseError where there is no such file.
    """
    match = URL.fullmatch(str(database))
    if match is None:
        return existing_file(Path(database))
    if match["dialect"] != "sqlite":
        return None
    name = match["rest"].removeprefix("/")
    if name in ("", ":memory:"):
        raise DatabaseError(
            f"{database} is an empty database in memory", remedy="Give the path of a file."
        )
    return existing_file(Path(name))


def existing_file(path: Path) -> Path:
    """`path` made absolute, if it is a file. Raises: DatabaseError."""
    try:
        path = path.expanduser()
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise DatabaseError(
            f"there is no database file {path}",
            remedy="Check the path; a server is named by a URL such as postgresql://user@host/name.",
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatabaseError(f"{path} cannot be read: {reason}") from None
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise DatabaseError(f"{path} is {kind}, not a database file")
    return path.absolute()


def located(database: str | Path) -> str:
    """What a worker is sent: an absolute path, or the URL. Raises: DatabaseError."""
    match = URL.fullmatch(str(database))
    if match is not None and match["dialect"] == "duckdb":
        name = unquote(match["rest"].partition("?")[0].removeprefix("/"))
        if name in ("", ":memory:"):
            raise DatabaseError(
                f"{database} is an empty database in memory", remedy="Give the path of a file."
            )
        return f"duckdb:///{quote(str(existing_file(Path(name))))}"
    path = sqlite_path(database)
    return str(database) if path is None else str(path)


def display_name(database: str | Path) -> str:
    """`database` as it may be shown: a URL without its password, also where it is malformed.

    Whatever stands between the user's name and the last `@` is hidden; without an `@`, what follows
    a colon and is no port; and values of options that name a password, a key or a token.
    """
    name = str(database)
    match = URL.fullmatch(name)
    if match is None or match["dialect"] in ("sqlite", "duckdb"):
        return name
    start, rest = name[: match.start("rest")], match["rest"]
    login, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        return start + user + (":***" if colon else "") + "@" + SECRET_OPTION.sub(r"\1***", place)
    return start + NO_PORT.sub(r"\1:***", SECRET_OPTION.sub(r"\1***", rest))
