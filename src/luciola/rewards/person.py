"""A person as a reward: answers are rated in the terminal, and no answer is asked for twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from luciola.errors import ConfigError, RatingStoppedError
from luciola.runs.atomic import storage_errors
from luciola.types import Answered

RATINGS = "ratings.jsonl"


class PersonReward:
    """Ratings from 1 to 9; s skips (the mean of all ratings so far, 5 at first), q stops.

    Args:
        path: where ratings are kept, and looked for first.
        ask: shows a text and reads a line.
    """

    name = "person"
    waits = False

    def __init__(self, path: str = RATINGS, ask: Callable[[str], str] | None = None) -> None:
        self.path = Path(path or RATINGS)
        if ask is None and not sys.stdin.isatty():
            raise ConfigError(
                "reward=person needs a terminal to ask in", remedy="Run it without a pipe."
            )
        self.ask = ask or input
        self.known = self._read()

    def scores(self, answered: Sequence[Answered]) -> list[float]:
        """One rating per answer.

        Raises: RatingStoppedError where the person stops; what was rated is kept.
        """
        open_ones = [one for one in answered if (one.prompt, one.answer) not in self.known]
        done = 0
        found = []
        for one in answered:
            if (one.prompt, one.answer) not in self.known:
                done += 1
                rating = self._rated(one, f"{done} of {len(open_ones)}")
                if rating is None:
                    found.append(self._mean())
                    continue
                self._keep(one, rating)
            found.append(self.known[one.prompt, one.answer])
        return found

    def _rated(self, one: Answered, place: str) -> float | None:
        text = f"\n[{place}]\n{one.prompt}\n→ {one.answer}\n1 to 9, s to skip, q to stop: "
        while True:
            try:
                word = self.ask(text).strip().lower()
            except EOFError:
                word = "q"
            if word == "q":
                raise RatingStoppedError(
                    f"rating was stopped; {len(self.known)} ratings are kept in {self.path}",
                    remedy="Run the same command again to go on.",
                )
            if word == "s":
                return None
            if word in tuple("123456789"):
                return float(word)
            text = "1 to 9, s to skip, q to stop: "

    def _mean(self) -> float:
        return sum(self.known.values()) / len(self.known) if self.known else 5.0

    def _keep(self, one: Answered, rating: float) -> None:
        self.known[one.prompt, one.answer] = rating
        row = {"prompt": one.prompt, "answer": one.answer, "rating": rating}
        line = json.dumps(row, ensure_ascii=False) + "\n"
        with storage_errors(self.path, len(line)), self.path.open("a", encoding="utf-8") as file:
            file.write(line)

    def _read(self) -> dict[tuple[str, str], float]:
        if not self.path.is_file():
            return {}
        found = {}
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                found[str(row["prompt"]), str(row["answer"])] = float(row["rating"])
            except (ValueError, KeyError, TypeError):
                raise ConfigError(
                    f"{self.path}:{number} is no rating", remedy="Remove that line."
                ) from None
        return found
