"""Why the official grammar does not take a query."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 (a finding about a query, caught and reported, never shown)
    """A query outside the official grammar.

    Args:
        message: what was seen.
        kind: the exception that the official evaluator raises there.
    """

    def __init__(self, message: str, kind: str = "AssertionError") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


def require(condition: bool, message: str) -> None:
    """Raises: Problem if the condition does not hold."""
    if not condition:
        raise Problem(message)
