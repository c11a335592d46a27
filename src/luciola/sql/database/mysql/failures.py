"""The errors of the driver and the server, as ours.

Source of the codes: MariaDB's and MySQL's lists of error codes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

try:
    import pymysql
except ImportError:  # told where a session is opened
    pymysql = None

from luciola.sql.database.session import UNKNOWN, RefusedError

TIMEOUTS = (1969, 3024, 1317, 1028, 1205)
MEMORY = (1037, 1038, 1041, 1135, 4177, 1290, 3015, 1114, 1301, 4191)
LOST = (2006, 2013, 2055, 1053, 1927, 1152, 1158, 1159, 1160, 1161)
FORBIDDEN = (1142, 1143, 1044, 1227, 1370, 1792, 1410)
NO_RIGHT = (1142, 1143)
READ_ONLY = 1792
UNKNOWN_NAMES = (1046, 1051, 1054, 1109, 1146)
"""No database selected, unknown table, column, table of a qualified name, table of a database."""


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """The driver's errors as ours. Raises: RefusedError."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        reason = message(error).partition("\n")[0]
        raise RefusedError(_kind(code, reason), _detail(code, reason)) from None
    except (UnicodeError, OSError) as error:
        raise RefusedError("database", str(error)) from None


def message(error: Exception) -> str:
    """What the driver says, without the code before it."""
    return str(error.args[1] if len(error.args) > 1 else error)


def _kind(code: int, reason: str) -> str:
    if code in TIMEOUTS or "timed out" in reason:
        return "timeout"
    if "mem_used" in reason or code in MEMORY:
        return "memory"
    if code in FORBIDDEN:
        return "forbidden"
    if code in UNKNOWN_NAMES:
        return UNKNOWN
    return "database" if code in LOST else "invalid"


def _detail(code: int, reason: str) -> str:
    if code in NO_RIGHT:
        return "read what this user may not read (" + reason + ")"
    return "write" if code == READ_ONLY else reason
