"""The nouns that the packages hand to each other: examples, tokens, requests, samples, and the
protocols.

Torch-free, so that data, templates and text-to-SQL work without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Message:
    """One turn. `trained` is None for the rule (assistant turns are trained), else it decides."""

    role: str
    content: str
    trained: bool | None = None


@dataclass(frozen=True)
class Origin:
    """Where an example came from; `line` is 1-based, 0 where the file has no lines."""

    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True)
class Conversation:
    """Turns in order; rendered with a chat template. The assistant's turns are trained."""

    messages: tuple[Message, ...]
    origin: Origin = Origin()


@dataclass(frozen=True)
class Completion:
    """Raw text after raw text, without a chat template; `completion` and the end token are
    trained.
    """

    prompt: str
    completion: str
    origin: Origin = Origin()


@dataclass(frozen=True)
class Text:
    """Plain text for pre-training; every token is trained."""

    text: str
    origin: Origin = Origin()


Example = Conversation | Completion | Text


@dataclass(frozen=True)
class Preference:
    """A prompt with answers, best first; two answers are a pair.

    Args:
        prompt: turns, rendered with a chat template, or plain text that the answers continue.
        answers: at least two.
        margin: how much better the first of a pair is, in units of the reward; None: not known.
    """

    prompt: str | tuple[Message, ...]
    answers: tuple[str, ...]
    origin: Origin = Origin()
    margin: float | None = None


@dataclass(frozen=True)
class Tokens:
    """One example as the model reads it.

    Args:
        ids: (T,) int32 token ids.
        trained: (T,) bool, True where the token itself is a target of the loss. The first token
            never is.
        origin: where it came from.
        prefix: number of leading tokens that this example shares with others of its data set
            (a system prompt, a schema) and that are never trained; 0 where nothing is shared.
    """

    ids: NDArray[np.int32]
    trained: NDArray[np.bool_]
    origin: Origin = Origin()
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. `temperature=0` is greedy.

    Args:
        max_new_tokens: tokens of the answer at most.
        temperature, top_k, top_p, min_p, typical_p: filters of the distribution, in this order.
        repetition_penalty: above 1 makes tokens of prompt and answer less likely; 1 is off.
        frequency_penalty: taken off a token's logit for each time the answer has it, in nats.
        presence_penalty: taken off once for every token that the answer has, in nats.
        no_repeat_ngram: no sequence of so many tokens comes twice in prompt and answer; 0 is off.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    no_repeat_ngram: int = 0


@dataclass(frozen=True)
class Request:
    """`n` answers to one prompt; settings and seed belong to the row, so batching changes
    nothing.
    """

    prompt: Sequence[int]
    n: int = 1
    sampling: Sampling = Sampling()
    seed: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None


@dataclass(frozen=True)
class Sample:
    """One answer.

    Args:
        request: index of its request.
        ids: the answer's tokens, the end token included where it was sampled.
        logprobs: log-probability of each token under the distribution that was really sampled, in
            nats.
        finish: why it ended.
        version: the weights that made it.
    """

    request: int
    ids: Sequence[int]
    logprobs: Sequence[float]
    finish: Literal["end", "stop", "length", "refused"]
    version: int = 0


class Sampler(Protocol):
    """Makes samples; a compiled engine can serve the same protocol."""

    def sample(self, requests: Sequence[Request]) -> list[Sample]: ...

    def sync(self, version: int) -> None:
        """Take over the trainer's weights as they are now."""


class Constraint(Protocol):
    """Which tokens may come next. In numpy, so that text-to-SQL needs no torch."""

    def start(self, rows: int) -> Any: ...

    def bitmask(self, state: Any) -> NDArray[np.int32]:
        """(B, ceil(V / 32)) int32; bit v % 32 of word v // 32 is set where token v is allowed."""
        ...

    def advance(self, state: Any, tokens: NDArray[np.int64]) -> Any: ...


@dataclass(frozen=True)
class Answered:
    """An answer that waits for its score.

    Args:
        prompt: the text the model answered, as a person wrote it (no template around it).
        answer: the answer's text, without the end token.
        messages: the conversation before the answer, where the prompt is one; else empty.
        token_count: tokens of the answer, the end token included: how many scores a reward per
            token gives.
        tokens: the text of each of these tokens.
        finish: why the answer ended, as in `Sample`.
        metadata: the other columns of the prompt's row ("answer", "label", ...).
    """

    prompt: str
    answer: str
    messages: tuple[Message, ...] = ()
    token_count: int = 0
    tokens: tuple[str, ...] = ()
    finish: str = "end"
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """What a reward gives back.

    Args:
        scores: one per answer: a number, or a number per token of the answer.
        parts: the components it was made of, by name, one number per answer, before their weights;
            for the log.
        seconds: how long each component took.
    """

    scores: Sequence[float | Sequence[float]]
    parts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


class Reward(Protocol):
    """Scores answers; the plug-in point of every reward."""

    def score(self, answered: Sequence[Answered]) -> Scored: ...
