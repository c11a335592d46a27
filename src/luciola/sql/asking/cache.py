"""Answers kept on disk, so that what was paid for once is never asked again.

One JSON object a line, appended as each answer comes: whatever is killed, the lines before are
whole. A torn line is passed over. Prompts and keys of servers are
not in the file, only a hash of what was asked of whom; the texts of the answers are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock

from luciola.data.summary import counted
from luciola.errors import ConfigError, StorageError
from luciola.sql.asking.model import Answers, Sampling

log = logging.getLogger(__name__)

BEGINNING = b'{"key": "'
"""How each line begins, and all there is of a first one that was torn."""


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
    """The answers in a file; any number of threads and processes may read and write.

    A line says where its texts begin among those of its prompt, so that two processes that asked
    the same prompt at once keep one set of answers, the first one's, and no text counts twice.

    Raises: StorageError where the file cannot be read or written; ConfigError where it holds
        something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._threads = threading.Lock()
        self._processes = FileLock(self.path.resolve())  # nothing is written to it by the lock
        self._kept: dict[str, Kept] = {}
        self._offset = 0
        check_cache(self.path)
        with self._reading():
            torn = self._refresh()
        if torn:
            log.warning("%s: passed over %s", self.path, counted(torn, "torn line"))

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: str) -> Kept | None:
        """All texts that are kept under an address, also by other processes in the meantime."""
        with self._threads, self._reading():
            self._refresh()
            return self._kept.get(key)

    def keep(self, key: str, kept: Kept, *, start: int | None = None) -> Kept:
        """Add texts to those that are there; returns all that are kept then.

        Args:
            start: how many texts were there when these were asked for; what others have added
                since takes the place of as many of these. None: all are added.
        """
        with self._writing():
            known = self._kept.get(key)
            count = len(known.texts) if known else 0
            new = kept if start is None else kept.after(max(0, count - start))
            if new.texts:
                self._append({"key": key, "start": count, **asdict(new)})
                self._refresh()
            return self._kept.get(key, new)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone with the file, and up to date with it."""
        with self._threads:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self._processes:
                    self._refresh()
                    yield
            except OSError as error:
                raise StorageError(
                    f"the answers cannot be kept in {self.path}: {error.strerror}",
                    remedy="Free some space and run it again: what was answered before is kept.",
                ) from error

    def _append(self, row: Mapping[str, Any]) -> None:
        """In one piece, on a line of its own, also behind one that was torn."""
        line = json.dumps(row).encode() + b"\n"
        size = self.path.stat().st_size if self.path.exists() else 0
        data = b"\n" + line if size > self._offset else line
        with self.path.open("ab", buffering=0) as file:
            written = file.write(data)
        if written != len(data):
            raise OSError(0, "the disk is full")

    def _refresh(self) -> int:
        """Take in the whole lines that were added; returns how many of them were torn."""
        lines = self._new_lines()
        torn = 0
        for line in filter(bytes.strip, lines):
            entry = _entry(line)
            if entry is None:
                torn += 1
                continue
            key, start, kept = entry
            known = self._kept.get(key)
            count = len(known.texts) if known else 0
            new = kept if start is None else kept.after(max(0, count - start))
            self._kept[key] = known.followed_by(new) if known else new
        return torn

    def _new_lines(self) -> list[bytes]:
        try:
            size = self.path.stat().st_size
            if size < self._offset:  # another file has taken its place
                self._offset, self._kept = 0, {}
            if size == self._offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.split(b"\n")


def check_cache(path: Path) -> None:
    """Raises: ConfigError where a file is no cache of answers; StorageError if it cannot be read.

    A cache may be missing, empty, or hold torn lines besides whole ones.
    """
    try:
        with path.open("rb") as file:
            lines = list(islice(filter(bytes.strip, file), 1000))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if lines and not any(line.startswith(BEGINNING) for line in lines):
        raise ConfigError(
            f"{path} is no cache of answers, and nothing is added to it",
            remedy="Name another file with --cache, or keep none with --no-cache.",
        )


def _entry(line: bytes) -> tuple[str, int | None, Kept] | None:
    """A line's content, and where its texts begin, if it says so; None where it is torn."""
    try:
        row: Any = json.loads(line)
        texts = tuple(row["texts"])
        if not all(isinstance(text, str) for text in texts):
            return None
        tokens = int(row["prompt_tokens"]), int(row["answer_tokens"])
        cut = tuple(int(place) for place in row.get("cut", ()))
        start = None if row.get("start") is None else int(row["start"])
        kept = Kept(texts, *tokens, counted=bool(row["counted"]), cut=cut)
        return str(row["key"]), start, kept
    except (ValueError, TypeError, KeyError, AttributeError):  # UnicodeDecodeError: a ValueError
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
