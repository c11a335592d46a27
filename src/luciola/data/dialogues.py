"""Logged answers with rewards: what ILQL learns from, as rows and as tokens.

A row is a prompt (text, or turns) with an output, a dialogue of prompts and outputs in turn, a
conversation, or a text alone, each with one reward. The outputs (of a conversation the assistant's
turns) are the actions; what is trained in `Tokens` are they. Left out: rewards per token, and
several per row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from luciola.conversation.encoding import Encoder
from luciola.conversation.render import Renderer
from luciola.data.readers.messages import parse_messages
from luciola.data.readers.record import Record, is_objects, keys, kind
from luciola.errors import DataError, RewrittenTurnError
from luciola.types import Conversation, Message, Origin, Tokens

Side = Literal["right", "left"]
OUTPUTS = ("output", "completion", "response", "answer")
DIALOGUES = ("samples", "dialogue")
TEXTS = ("sample", "text")
FORMS = (
    '{"prompt": …, "output": …, "reward": 1.0}, {"samples": [prompt, output, …], "reward": 1.0}, '
    '{"messages": […], "reward": 1.0} or {"text": …, "reward": 1.0}'
)
WHOLE = (
    "Name a template that leaves earlier turns as they are with template=FILE.jinja, or log each "
    'answer as a row of its own, with its own reward: {"prompt": [turns], "output": …}.'
)
"""What to do about a dialogue whose answers cannot all be shown as the model sees them."""


@dataclass(frozen=True)
class Dialogue:
    """One logged exchange.

    Args:
        phrases: prompt, output, prompt, output, …; or one text alone, all of it output.
        messages: a conversation instead; then `phrases` is empty.
        reward: how good it was.
    """

    phrases: tuple[str, ...]
    messages: tuple[Message, ...]
    reward: float
    origin: Origin

    def as_chat(self) -> Dialogue:
        """Prompts and outputs as the turns of a user and an assistant; a text alone stays one."""
        if len(self.phrases) < 2:
            return self
        roles = ("user", "assistant")
        turns = tuple(Message(roles[i % 2], text) for i, text in enumerate(self.phrases))
        return Dialogue((), turns, self.reward, self.origin)


def read_dialogue(values: Any, origin: Origin) -> Dialogue:
    """A row as a dialogue.

    Raises: DataError naming file and line of a row that is none, or whose reward is no number.
    """
    if not isinstance(values, Mapping):
        raise DataError(
            f"a sample is an object, got {kind(values)}",
            path=origin.path,
            line=origin.line,
            remedy=f"Known are {FORMS}.",
        )
    record = Record(values, origin)
    reward = _reward(record)
    if "prompt" in values:
        return _with_prompt(record, reward)
    for key in DIALOGUES:
        if key in values:
            return Dialogue(_phrases(record, key), (), reward, origin)
    for key in TEXTS:
        if key in values:
            return Dialogue((record.string(key),), (), reward, origin)
    if "messages" in values:
        return Dialogue((), _messages(record, "messages"), reward, origin)
    raise record.error(
        f"the row has no answer (its keys: {keys(values)})", remedy=f"Known are {FORMS}."
    )


def _reward(record: Record) -> float:
    if "reward" not in record.values:
        raise record.error(f"the row has no 'reward' (its keys: {keys(record.values)})")
    value = record.values["reward"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise record.error(f"'reward' must be a finite number, got {value!r:.60}")
    return float(value)


def _with_prompt(record: Record, reward: float) -> Dialogue:
    key = next((key for key in OUTPUTS if key in record.values), None)
    if key is None:
        seen = keys(record.values)
        raise record.error(f"the row has a prompt, but no 'output' (its keys: {seen})")
    output = record.checked(record.values[key], repr(key))
    prompt = record.values["prompt"]
    if isinstance(prompt, str):
        return Dialogue((record.checked(prompt, "'prompt'"), output), (), reward, record.origin)
    history = _messages(record, "prompt")
    given = (replace(m, trained=False) if m.role == "assistant" else m for m in history)
    turns = (*given, Message("assistant", output))
    return Dialogue((), turns, reward, record.origin)


def _messages(record: Record, key: str) -> tuple[Message, ...]:
    value = record.values[key]
    if not is_objects(value, "role"):
        raise record.error(f"{key!r} must be a list of messages with a role, got {kind(value)}")
    return parse_messages(record, value, key)


def _phrases(record: Record, key: str) -> tuple[str, ...]:
    value = record.values[key]
    if isinstance(value, str):
        return (record.string(key),)
    if not isinstance(value, Sequence) or not value or len(value) % 2:
        count = f" of {len(value)}" if isinstance(value, Sequence) else ""
        raise record.error(
            f"{key!r} must be a list of prompt, output, prompt, output, …, got {kind(value)}{count}"
        )
    return tuple(record.checked(text, f"{key}[{i}]") for i, text in enumerate(value))


class DialogueRenderer:
    """Dialogues to tokens, cut to a length.

    Args:
        renderer: of the model; renders conversations.
        max_length: tokens kept of a dialogue.
        side: which end is cut off.

    Raises: DataError where the tokenizer has neither a begin nor an end token.
    """

    def __init__(self, renderer: Renderer, max_length: int, side: Side) -> None:
        self.renderer = renderer
        self.max_length = max_length
        self.side = side
        self._encoder = Encoder(renderer.tokenizer)
        tokenizer = renderer.tokenizer
        begin = tokenizer.bos_token_id
        begin = tokenizer.eos_token_id if begin is None else begin
        if begin is None:
            raise DataError("the tokenizer has no begin and no end token to put before a text")
        self.begin = int(begin)

    def __call__(self, dialogue: Dialogue) -> Tokens:
        """The dialogue as tokens; where cutting has left no output, nothing is trained.

        Raises: DataError, TemplateError as `Renderer` does.
        """
        return self.cut(self.whole(dialogue))

    def cut(self, tokens: Tokens) -> Tokens:
        """What is left of whole tokens."""
        return cut(tokens, self.max_length, self.side, self.begin)

    def whole(self, dialogue: Dialogue) -> Tokens:
        """All of its tokens; the last output ends with the end token."""
        if dialogue.messages:
            return self._conversation(Conversation(dialogue.messages, dialogue.origin))
        pieces = self._pieces(dialogue.phrases)
        pieces[-1] = self._encoder.closing(pieces[-1])
        trained = [np.full(len(piece), i % 2 == 1) for i, piece in enumerate(pieces)]
        ids = [token for piece in pieces for token in piece]
        return Tokens(np.array(ids, np.int32), np.concatenate(trained), dialogue.origin)

    def _conversation(self, conversation: Conversation) -> Tokens:
        try:
            return self.renderer.render(conversation)
        except RewrittenTurnError as error:  # one reward for all answers: no splitting
            raise RewrittenTurnError(error.message, remedy=WHOLE) from None

    def _pieces(self, phrases: Sequence[str]) -> list[list[int]]:
        """Each phrase's ids; a text alone comes after the begin token."""
        encode = self._encoder
        if len(phrases) == 1:
            return [[self.begin], encode.piece(phrases[0], first=True).ids]
        opening = encode.opening(phrases[0]) or [self.begin]
        return [opening, *(encode.piece(text, first=False).ids for text in phrases[1:])]


def cut(tokens: Tokens, max_length: int, side: Side, begin: int) -> Tokens:
    """The first or the last `max_length` tokens.

    Where the left end of what is left is an output's token, the begin token takes its place: an
    action needs a state before it. (trlx does the same, but keeps an output that this has emptied.)
    """
    if len(tokens) <= max_length:
        return tokens
    part = slice(max_length) if side == "right" else slice(len(tokens) - max_length, None)
    ids, trained = tokens.ids[part].copy(), tokens.trained[part].copy()
    if trained[0]:
        ids[0], trained[0] = begin, False
    return Tokens(ids, trained, tokens.origin)


def standardized(rewards: Sequence[float]) -> NDArray[np.float64]:
    """(n,) rewards with mean 0 and, where they differ, variance 1 (unbiased)."""
    values = np.array(rewards, np.float64)
    if not np.ptp(values):
        return np.zeros_like(values)
    return (values - values.mean()) / (values.std(ddof=1) + np.finfo(np.float64).eps)
