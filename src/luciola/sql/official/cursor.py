"""A place in a query's tokens, and the words at which its clauses end."""

from __future__ import annotations

from collections.abc import Sequence

from luciola.sql.official.problem import Problem, require

CLAUSES = frozenset(
    ("select", "from", "where", "group", "order", "limit", "intersect", "union", "except")
)
JOINS = frozenset(("join", "on", "as"))
ENDS = CLAUSES | {")", ";"}


class Cursor:
    """Reads `tokens` from `at` onwards."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.at = 0

    @property
    def token(self) -> str:
        if self.at >= len(self.tokens):
            raise Problem("ends too early", "IndexError")
        return self.tokens[self.at]

    def sees(self, *words: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in words

    def takes(self, *words: str) -> bool:
        """Whether one of the words comes next, which is then passed."""
        found = self.sees(*words)
        self.at += found
        return found

    def expects(self, word: str) -> None:
        require(self.token == word, f"{word!r} is missing before {self.token!r}")
        self.at += 1

    def advance(self) -> str:
        """The next token, which is then passed."""
        token = self.token
        self.at += 1
        return token

    def skip_semicolons(self) -> None:
        while self.takes(";"):
            pass
