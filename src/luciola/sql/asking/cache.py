"""Answers kept on disk, so that what was paid for once is never asked again.

One JSON object a line, appended as each answer comes: whatever is killed, the lines before are
whole. A torn line is passed over, and so is one of another program. Prompts and keys of servers are
not in the file, only a hash of what was asked of whom; the texts of the answers are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from luciola.errors import StorageError
from luciola.sql.asking.model import Answers, Sampling

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """Texts that answer one prompt, in the order in which they were drawn.

    Args:
        texts: any number.
        prompt_tokens: of the prompt once.
        answer_tokens: of all texts.
        counted: False where the tokens are not known.
        cut: places of the texts that were cut off at their most tokens.
    """

    texts: tuple[str, ...]
    prompt_tokens: int
    answer_tokens: int
    counted: bool = True
    cut: tuple[int, ...] = ()

    def first(self, number: int) -> Kept:
        """Only so many texts; the tokens of the others are taken off in proportion."""
        if number >= len(self.texts):
            return self
        share = round(self.answer_tokens * number / len(self.texts))
        cut = tuple(place for place in self.cut if place < number)
        return Kept(self.texts[:number], self.prompt_tokens, share, self.counted, cut)

    def after(self, number: int) -> Kept:
        """The texts behind the first so many."""
        rest = self.answer_tokens - self.first(number).answer_tokens
        cut = tuple(place - number for place in self.cut if place >= number)
        return Kept(self.texts[number:], self.prompt_tokens, rest, self.counted, cut)

    def answers(self, *, cached: bool) -> Answers:
        """The texts as answers to their prompt."""
        return Answers(
            self.texts,
            self.prompt_tokens,
            self.answer_tokens,
            cached=cached,
            counted=self.counted,
            cut=self.cut,
        )

    def followed_by(self, other: Kept) -> Kept:
        """These texts and then the other ones."""
        return Kept(
            self.texts + other.texts,
            max(self.prompt_tokens, other.prompt_tokens),
            self.answer_tokens + other.answer_tokens,
            self.counted and other.counted,
            self.cut + moved(other.cut, len(self.texts)),
        )


def moved(places: tuple[int, ...], by: int) -> tuple[int, ...]:
    """Places in a list that so many texts were put before."""
    return tuple(place + by for place in places)


def address(model: str, prompt: str, sampling: Sampling) -> str:
    """What a prompt's answers are kept under: all that they depend on, but not how many there are.

    Args:
        model: who answers: whatever tells two models, places and forms of asking apart.
        prompt: its text.
        sampling: the settings.
    """
    settings = {k: v for k, v in asdict(sampling).items() if k != "answers"}
    asked = json.dumps([model, prompt, settings], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


class AnswerCache:
    """The answers in a file; any number of threads may read and write.

    Raises: StorageError where the file cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._torn = False
        for key, kept in self._read():
            self._put(key, kept)

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: str) -> Kept | None:
        """All texts that are kept under an address."""
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: str, kept: Kept) -> None:
        """Add texts behind those that are there."""
        line = json.dumps({"key": key, **asdict(kept)}).encode() + b"\n"
        with self._lock:
            self._put(key, kept)
            try:
                self._append(line)
            except OSError as error:
                self._torn = True
                raise StorageError(
                    f"the answers cannot be kept in {self.path}: {error.strerror}",
                    remedy="Free some space and run it again: what was answered before is kept.",
                ) from error

    def _put(self, key: str, kept: Kept) -> None:
        known = self._kept.get(key)
        self._kept[key] = known.followed_by(kept) if known else kept

    def _append(self, line: bytes) -> None:
        """In one piece, on a line of its own."""
        data = b"\n" + line if self._torn else line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            written = file.write(data)
        if written != len(data):
            raise OSError(0, "the disk is full")
        self._torn = False

    def _read(self) -> Iterator[tuple[str, Kept]]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error
        self._torn = bool(content) and not content.endswith(b"\n")
        lines = [line for line in content.split(b"\n") if line.strip()]
        found = [entry for line in lines if (entry := _entry(line)) is not None]
        if len(found) < len(lines):
            log.warning("%s: passed over %d torn lines", self.path, len(lines) - len(found))
        yield from found


def _entry(line: bytes) -> tuple[str, Kept] | None:
    """A line's content; None where it is torn."""
    try:
        row: Any = json.loads(line)
        texts = tuple(row["texts"])
        if not all(isinstance(text, str) for text in texts):
            return None
        tokens = int(row["prompt_tokens"]), int(row["answer_tokens"])
        cut = tuple(int(place) for place in row.get("cut", ()))
        return str(row["key"]), Kept(texts, *tokens, counted=bool(row["counted"]), cut=cut)
    except (ValueError, TypeError, KeyError):  # a UnicodeDecodeError is a ValueError
        return None


def in_order(prompts: Sequence[str], found: Mapping[str, Answers]) -> list[Answers]:
    """Answers for all prompts; those of a prompt that came before are kept ones."""
    seen: set[str] = set()
    ordered = []
    for prompt in prompts:
        answers = found[prompt]
        ordered.append(replace(answers, cached=bool(answers.texts)) if prompt in seen else answers)
        seen.add(prompt)
    return ordered
