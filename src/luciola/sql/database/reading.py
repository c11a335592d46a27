"""The one sandbox in which this program reads schemas and values, for all databases.

Its limits are wider than those of a model's query: a large database takes seconds to look through.
"""

from __future__ import annotations

from functools import cache

from luciola.sql.database.limits import MIB
from luciola.sql.database.sandbox import Sandbox

TIMEOUT_S = 20.0
"""Seconds for one request, such as the values of a column."""


@cache
def reader() -> Sandbox:
    """The sandbox; its worker starts at the first request and ends with this process."""
    return Sandbox(timeout_s=TIMEOUT_S, max_rows=1_000_000, max_result_bytes=64 * MIB)
