"""A conversation in a Firefly format, segment by segment, as text and as tokens.

Firefly turns the system message, each user turn and each answer into tokens one by one, with the
tokenizer's own spaces at the front of each; here it is the same, so no offsets are needed. Texts
are stripped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from luciola.conversation.firefly.formats import (
    SCHEME,
    Content,
    Ending,
    Parts,
    Round,
    Special,
    find_format,
)
from luciola.conversation.firefly.source import ORDER
from luciola.conversation.turns import is_trained
from luciola.errors import TemplateError
from luciola.types import Message, Origin

log = logging.getLogger(__name__)
NOWHERE = Origin()
SPEAKERS = ("user", "assistant")


@dataclass(frozen=True)
class Segment:
    """Part of a conversation that is turned into tokens by itself: texts and special tokens."""

    pieces: tuple[str | Special, ...]
    trained: bool = False

    def __str__(self) -> str:
        return "".join(p if isinstance(p, str) else f"⟦{p.label}⟧" for p in self.pieces)


class FireflyTemplate:
    """Renders conversations in one of Firefly's formats.

    Args:
        tokenizer: any of transformers; ChatGLM's too, which has its special tokens as commands.
        name: of the format.

    Raises: TemplateError if Firefly has no such template.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.name = name
        self.format = find_format(name)
        self._tokenizer = tokenizer

    def announce(self) -> None:
        """Say once what differs from the model's own template, and what will not work."""
        if self.format.departs:
            _say_once(f"{SCHEME}{self.name} is not the model's own template: {self.format.departs}")
        stop = self.format.stop
        if stop and len(self.encode([Segment((stop,))])[0]) > 1 and not self._ends_by_id():
            _say_once(
                f"{SCHEME}{self.name} ends answers with {stop}, which is no single token of this "
                "model: it learns to spell it out. Take the template of the model's family"
            )

    def segments(
        self, messages: Sequence[Message], *, origin: Origin = NOWHERE, verbatim: bool = False
    ) -> list[Segment]:
        """The conversation in order.

        Args:
            verbatim: keep the white space around the last message, as Firefly does in DPO.

        Raises: TemplateError if roles are unknown or out of order.
        """
        has_system = bool(messages) and messages[0].role == "system"
        turns = messages[1:] if has_system else messages
        self._check(turns, origin)
        head = self._head(messages[0].content.strip() if has_system else None)
        return [*head, *self._turns(turns, verbatim=verbatim)]

    def encode(self, segments: Sequence[Segment]) -> tuple[list[int], list[bool]]:
        """Token ids, and for each whether it is trained."""
        ids: list[int] = []
        trained: list[bool] = []
        for segment in segments:
            for piece in segment.pieces:
                ids += [self._id(piece)] if isinstance(piece, Special) else self._ids(piece)
            trained += [segment.trained] * (len(ids) - len(trained))
        return ids, trained

    def end_ids(self) -> list[int]:
        """The tokens that end an answer."""
        end = self._tokenizer.eos_token_id
        ids = set() if end is None else {end}
        if self.format.stop and not self._ends_by_id():
            stop = self._ids(self.format.stop)
            ids |= set(stop) if len(stop) == 1 else set()
        others = [self._find(special) for special in self.format.also_ends]
        return sorted(ids | {other for other in others if other is not None})

    def _head(self, given: str | None) -> Iterator[Segment]:
        if self.format.opening:
            yield Segment(self.format.opening)
        if given and not self.format.shows_system:
            _say_once(f"{SCHEME}{self.name} has no place for system messages: they are left out")
        system = self.format.default if given is None else given
        if self.format.system is not None and system is not None:
            yield Segment(self._filled(self.format.system, system))

    def _turns(self, turns: Sequence[Message], *, verbatim: bool) -> Iterator[Segment]:
        for i, turn in enumerate(turns):
            is_last = i + 1 == len(turns)
            text = turn.content if verbatim and is_last else turn.content.strip()
            parts = self.format.user if turn.role == "user" else self.format.assistant
            yield Segment(self._filled(parts, text, i // 2 + 1), is_trained(turn))

    def _filled(self, parts: Parts, content: str, number: int = 0) -> tuple[str | Special, ...]:
        """Parts with the message's text; neighbouring texts are one piece, as they share tokens."""
        pieces: list[str | Special] = []
        for part in parts:
            if isinstance(part, Special):
                pieces.append(part)
                continue
            match part:
                case Content():
                    text = content
                case Round():
                    text = str(number)
                case Ending():
                    text = self._tokenizer.eos_token or ""
                case str():
                    text = part
            if pieces and isinstance(last := pieces[-1], str):
                pieces[-1] = last + text
            else:
                pieces.append(text)
        return tuple(pieces)

    def _check(self, turns: Sequence[Message], origin: Origin) -> None:
        for i, turn in enumerate(turns):
            if turn.role != SPEAKERS[i % 2]:
                where = f"{origin}: " if origin.path else ""
                seen = ", ".join(t.role for t in turns[: i + 1])
                raise TemplateError(
                    f"{where}{SCHEME}{self.name} cannot render turn {i + 1}, of {turn.role} "
                    f"(the turns: {seen})",
                    remedy=f"In Firefly's templates, {ORDER}.",
                )

    def _ends_by_id(self) -> bool:
        return isinstance(self.format.assistant[-1], Special)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _id(self, special: Special) -> int:
        found = self._find(special)
        if found is None:
            what = special.token or "end"
            raise TemplateError(
                f"{SCHEME}{self.name} needs the token {what}, which this model's tokenizer lacks",
                remedy="Take the template of the model's own family.",
            )
        return found

    def _find(self, special: Special) -> int | None:
        """The id of a special token; None where the tokenizer lacks it."""
        if not special.token:
            found = self._tokenizer.eos_token_id
        elif command := getattr(self._tokenizer, "get_command", None):
            found = command(special.token)
        else:
            found = self._tokenizer.convert_tokens_to_ids(special.token)
            found = None if found == self._tokenizer.unk_token_id else found
        return None if found is None else int(found)


@cache
def _say_once(text: str) -> None:
    if os.environ.get("RANK", "0") == "0":
        log.warning("%s", text)
