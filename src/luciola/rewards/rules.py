"""Rewards that are rules over the answer's text: its length, a pattern, words with a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from luciola.errors import ConfigError
from luciola.types import Answered

LENGTH = re.compile(r"(\d+)?\s*-\s*(\d+)?\s*(words|characters|tokens)?")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
NEGATIONS = frozenset(
    ("not", "no", "never", "nothing", "nobody", "without", "hardly", "barely", "nor", "cannot")
)
REACH = 3
"""Words after a negation whose value it turns round."""


@dataclass(frozen=True)
class LengthPart:
    """1 between `low` and `high`; falls in a line to 0 at nothing and at twice `high`.

    Args:
        low, high: inclusive; `high` None: no upper end.
        unit: what is counted: words (between blanks), characters, or tokens with the end token.
    """

    low: int
    high: int | None
    unit: str = "words"
    waits = False

    @classmethod
    def from_text(cls, text: str) -> LengthPart:
        """MIN-MAX, MIN- or -MAX, with a unit behind it. Raises: ConfigError."""
        match = LENGTH.fullmatch(text.strip())
        if match is None or match[1] is match[2] is None:
            raise ConfigError(
                f"reward: length:{text} is no range",
                remedy="Write length:20-60, length:20- or length:-60, with words (the default), "
                "characters or tokens behind it.",
            )
        low, high = int(match[1] or 0), int(match[2]) if match[2] else None
        if high is not None and low > high:
            raise ConfigError(
                f"reward: length:{text} begins above its end",
                remedy=f"Write length:{high}-{low}.",
            )
        return cls(low, high, match[3] or "words")

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """Between 0 and 1."""
        return [self._score(self._length(one)) for one in answered]

    def _length(self, one: Answered) -> int:
        if self.unit == "tokens":
            return one.token_count
        return len(one.answer.split()) if self.unit == "words" else len(one.answer)

    def _score(self, length: int) -> float:
        if length < self.low:
            return length / self.low
        if self.high is None or length <= self.high:
            return 1.0
        return max(0.0, 2 - length / self.high) if self.high else 0.0


@dataclass(frozen=True)
class PatternPart:
    """1 where a regular expression is found anywhere in the answer, else 0."""

    pattern: re.Pattern[str]
    waits = False

    @classmethod
    def from_text(cls, text: str) -> PatternPart:
        """Raises: ConfigError for an expression that Python's `re` does not understand."""
        try:
            return cls(re.compile(text))
        except re.error as error:
            raise ConfigError(
                f"reward: regex:{text} is no regular expression ({error})",
                remedy=r"Put a backslash before ( ) [ ] { } . * + ? that stand for themselves.",
            ) from error

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """0 or 1."""
        return [float(self.pattern.search(one.answer) is not None) for one in answered]


@dataclass(frozen=True)
class LexiconPart:
    """How friendly the words are: Σ values / (Σ |values| + 1), between -1 and 1; 0 without any.

    The 1 lets more evidence count for more. A negation turns round the values of the next three
    words of its sentence ("not a good film"). Simple on purpose: it reads words, not meanings.
    """

    values: Mapping[str, float]
    waits = False

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """Between -1 and 1."""
        return [self._score(one.answer) for one in answered]

    def _score(self, text: str) -> float:
        found = [
            value for part in re.split(r"[.,;:!?\n]", text.lower()) for value in self._values(part)
        ]
        return sum(found) / (sum(map(abs, found)) + 1)

    def _values(self, part: str) -> list[float]:
        found: list[float] = []
        turned = 0
        for word in WORD.findall(part.replace("’", "'")):
            value = self.values.get(word, 0.0)
            found.append(-value if turned else value)
            is_negation = word in NEGATIONS or word.endswith("n't")
            turned = REACH if is_negation else max(0, turned - 1)
        return found


def lexicon(path: Path | None = None) -> LexiconPart:
    """The bundled English words, or a file of lines `word value`; # begins a remark.

    Raises: ConfigError for a file that cannot be read, or a line without a number.
    """
    return LexiconPart(_english() if path is None else _read(path))


@cache
def _english() -> Mapping[str, float]:
    resource = files("luciola.rewards") / "words" / "english.txt"
    return _parse(resource.read_text(encoding="utf-8"), "english.txt")


def _read(path: Path) -> Mapping[str, float]:
    try:
        return _parse(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"reward: the word list {path} cannot be read ({error})",
            remedy="Give a UTF-8 text file with a word and its value on each line: good 1",
        ) from error


def _parse(text: str, where: str) -> Mapping[str, float]:
    values: dict[str, float] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            value = float(words[-1])
        except ValueError:
            value = float("nan")
        if len(words) < 2 or not abs(value) < float("inf"):
            raise ConfigError(
                f"{where}:{number}: {line.strip()!r} does not end with a value for its words",
                remedy="Write words and their value on each line: good great 1",
            )
        values |= {word.lower(): value for word in words[:-1]}
    return values
