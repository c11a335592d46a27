"""A conversation with a model: its turns, its settings, and what is kept of it. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luciola.chat.reply import Answers, Reply, Tell
from luciola.chat.settings import ChatSettings, seed_of
from luciola.data.readers.lines import read_text
from luciola.errors import ConfigError, DataError
from luciola.runs.outputs import check_output
from luciola.types import Message

ROLES = ("system", "user", "assistant", "tool")


@dataclass
class Session:
    """A conversation as it goes on.

    Args:
        model: answers.
        settings: how.
        system: its system message; empty: the model's own, if it has one.
        turns: what was said, without the system message.
        answered: answers given so far, taken back or not; the next one's seed follows from it.
    """

    model: Answers
    settings: ChatSettings
    system: str = ""
    turns: list[Message] = field(default_factory=list)
    answered: int = 0

    @property
    def messages(self) -> list[Message]:
        """The conversation from its system message on."""
        opening = [Message("system", self.system)] if self.system else []
        return [*opening, *self.turns]

    def ask(self, text: str, tell: Tell | None = None) -> Reply:
        """Say something and get the answer; both are part of the conversation then.

        Of an answer that was interrupted what was heard is kept; of one that failed, nothing.
        """
        self.turns.append(Message("user", text))
        try:
            return self._answer(tell)
        except BaseException:
            self.turns.pop()
            raise

    def regenerate(self, tell: Tell | None = None) -> Reply:
        """Another answer to the last question, in the place of the one that there is.

        Raises: ConfigError if nothing was asked yet.
        """
        last = self.turns.pop() if self.turns and self.turns[-1].role == "assistant" else None
        if not self.turns:
            raise ConfigError("there is no question yet to be answered again")
        try:
            return self._answer(tell)
        except BaseException:
            self.turns += [last] if last else []
            raise

    def _answer(self, tell: Tell | None) -> Reply:
        number, self.answered = self.answered, self.answered + 1
        reply = self.model.answer(
            self.messages, self.settings, seed=seed_of(self.settings, number), tell=tell
        )
        if reply.text or reply.finish != "interrupted":
            self.turns.append(Message("assistant", reply.text))
        else:
            self.turns.pop()  # interrupted before a word: as if not asked
        return reply

    def reset(self) -> None:
        """Forget what was said; system message and settings stay."""
        self.turns.clear()
        self.answered = 0

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """One line of JSON, as `luciola train` and `luciola data` read it.

        A file with the beginning of this conversation is replaced: nothing of it is lost.

        Args:
            overwrite: replace whatever else is there.

        Raises: ConfigError if the file holds something else; StorageError if it cannot be written.
        """
        flag = "/save FILE --overwrite"
        output = check_output(path, overwrite=overwrite, replaces=self._continues, flag=flag)
        row = {"messages": _as_turns(self.messages)}
        output.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _continues(self, path: Path) -> bool:
        """Whether a file holds nothing but the beginning of this conversation."""
        try:
            row = json.loads(read_text(path))
        except (ValueError, DataError):
            return False
        own = _as_turns(self.messages)
        saved = row.get("messages") if isinstance(row, dict) and len(row) == 1 else None
        return isinstance(saved, list) and saved == own[: len(saved)]

    def load(self, path: Path) -> None:
        """Go on with a saved conversation in the place of this one.

        Raises: DataError if the file is not there, or holds no conversation or several.
        """
        lines = [line for line in read_text(path).split("\n") if line.strip()]
        if len(lines) != 1:
            raise DataError(
                f"holds {len(lines)} lines, and a saved conversation is one line of JSON",
                path=path,
                remedy="Give a file that /save wrote; --file answers many prompts.",
            )
        messages = parse_messages(parse_line(lines[0], path, 1), path, 1)
        has_system = messages[0].role == "system"
        self.system = messages[0].content if has_system else ""
        self.turns = list(messages[1:] if has_system else messages)


def _as_turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def parse_line(text: str, path: Path, line: int) -> Any:
    """What a line of JSON says. Raises: DataError naming the line."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"is not valid JSON ({error})", path=path, line=line) from None


def parse_messages(row: Any, path: Path, line: int) -> tuple[Message, ...]:
    """The turns of {"messages": [{"role": …, "content": …}, …]}.

    Raises: DataError if it has another shape.
    """
    turns = row.get("messages") if isinstance(row, Mapping) else None
    if not isinstance(turns, Sequence) or not turns or not all(map(_is_turn, turns)):
        raise DataError(
            f"must be {{'messages': [{{'role': …, 'content': …}}, …]}}, got {row!r:.80}",
            path=path,
            line=line,
            remedy=f"Roles are {', '.join(ROLES)}; a content is text.",
        )
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _is_turn(turn: Any) -> bool:
    return (
        isinstance(turn, Mapping)
        and turn.get("role") in ROLES
        and isinstance(turn.get("content"), str)
    )
