"""What PostgreSQL's error codes mean to us.

Source: PostgreSQL's documentation, appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

from typing import Any

try:
    from psycopg import pq
except ImportError:  # told where a session is opened
    pq = None  # type: ignore[assignment]

from luciola.sql.database.session import UNKNOWN, RefusedError

CANCELLED = "57014"
OUT_OF_MEMORY = ("53200", "54000", "53400", "53100")
"""Out of memory, a value beyond 1 GB, temporary files beyond their limit, a full disk."""
LOST = ("57P01", "57P02", "57P03", "08")
PRIVILEGE = "42501"
UNKNOWN_NAMES = ("3F000", "42P01", "42703")
"""A schema, table or column that is not there."""
READ_ONLY = "25006"


def checked(result: Any) -> Any:
    """The result, unless it is an error. Raises: RefusedError."""
    status = pq.ExecStatus
    if result.status in (
        status.COMMAND_OK,
        status.TUPLES_OK,
        status.SINGLE_TUPLE,
        status.EMPTY_QUERY,
    ):
        return result
    field = pq.DiagnosticField
    code = (result.error_field(field.SQLSTATE) or b"").decode()
    text = (result.error_field(field.MESSAGE_PRIMARY) or result.error_message).decode(
        "utf-8", "replace"
    )
    raise RefusedError(_kind(code, text), _wish(code, first_line(text)))


def first_line(text: str) -> str:
    """The first line of a message, without its full stop."""
    return text.strip().partition("\n")[0].rstrip(". ")


def _kind(code: str, text: str) -> str:
    if code == CANCELLED:
        return "timeout"
    if code in OUT_OF_MEMORY:
        return "memory" if "stack depth" not in text else "invalid"
    if code in (PRIVILEGE, READ_ONLY):
        return "forbidden"
    if code in UNKNOWN_NAMES:
        return UNKNOWN
    if code.startswith(LOST):
        return "database"
    if not code:
        return "size" if "memory" in text else "database"
    return "invalid"


def _wish(code: str, text: str) -> str:
    if code == READ_ONLY:
        return "write"
    return (
        text.replace("permission denied for", "read without permission the")
        if code == PRIVILEGE
        else text
    )
