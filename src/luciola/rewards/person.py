"""A person as a reward: answers are rated in the terminal, and none is asked for twice.

A rating is a line of a JSONL file as soon as it is given, so that a run that was stopped goes on
with the same scores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from luciola.errors import ConfigError, RatingStoppedError, StorageError
from luciola.types import Answered

RATINGS = "ratings.jsonl"
KEYS = "1 (bad) to 9 (good), s to skip, q to stop: "
MIDDLE = 5.0


class PersonPart:
    """Ratings from 1 to 9. A skipped answer scores the mean of the ratings so far, 5 before any.

    Args:
        file: keeps the ratings, and is looked into first.
        ask: shows a text and returns the line that the person typed.

    Raises: ConfigError without a terminal to ask in, or for a file that holds something else.
    """

    waits = False

    def __init__(self, file: Path = Path(RATINGS), ask: Callable[[str], str] | None = None) -> None:
        if ask is None and not sys.stdin.isatty():
            raise ConfigError(
                "reward: person needs a terminal to ask in, and there is none",
                remedy="Run it in a terminal, without a pipe, as one process.",
            )
        self.file, self.ask = file, ask or input
        self.scores: dict[tuple[str, str], float] = {}
        self.ratings: list[float] = []
        self._read()

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """Asks for what is not on file. Raises: RatingStoppedError where the person stops."""
        unknown = list(dict.fromkeys(_key(one) for one in answered if _key(one) not in self.scores))
        for number, key in enumerate(unknown, 1):
            self._keep(key, self._asked(key, f"[{number} of {len(unknown)}]"))
        return [self.scores[_key(one)] for one in answered]

    def _asked(self, key: tuple[str, str], place: str) -> float | None:
        """The rating; None where the person skips."""
        prompt, answer = key
        text = f"\n{place} {prompt}\n  → {answer}\n{KEYS}"
        while True:
            try:
                typed = self.ask(text).strip().lower()
            except EOFError:  # the terminal was closed
                typed = "q"
            if typed == "q":
                raise RatingStoppedError(
                    f"rating stopped; {len(self.ratings)} ratings are kept in {self.file}",
                    remedy="Run the same command again to go on from there.",
                )
            if typed == "s":
                return None
            if typed in tuple("123456789"):
                return float(typed)
            text = KEYS

    def _keep(self, key: tuple[str, str], rating: float | None) -> None:
        score = rating
        if score is None:
            score = sum(self.ratings) / len(self.ratings) if self.ratings else MIDDLE
        row = {"prompt": key[0], "answer": key[1], "rating": rating, "score": score}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StorageError(
                f"{self.file} cannot be written ({error.strerror})",
                remedy="Name another file: reward=person:FILE.jsonl",
            ) from error
        self._remember(key, rating, score)

    def _remember(self, key: tuple[str, str], rating: float | None, score: float) -> None:
        self.scores[key] = score
        if rating is not None:
            self.ratings.append(rating)

    def _read(self) -> None:
        if not self.file.exists():
            return
        try:
            lines = self.file.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"reward: {self.file} cannot be read ({error})") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                rating = None if row["rating"] is None else float(row["rating"])
                self._remember((row["prompt"], row["answer"]), rating, float(row["score"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"{self.file}:{number}: {line[:60]!r} is no rating",
                    remedy="Correct or remove that line, or name another file: person:FILE.jsonl",
                ) from error


def _key(one: Answered) -> tuple[str, str]:
    return one.prompt, one.answer
