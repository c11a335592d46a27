"""Examples to tokens, with the mask that says what is trained.

* A conversation is rendered with a chat template; trained are the assistant's answers, each up to
  and including its end mark. The white space that a template puts after the mark is not trained
  (the model has stopped by then), unless the tokenizer makes it part of the mark. Messages after
  the last trained turn are dropped: nothing that is trained can see them.
* A completion is raw text: prompt, completion, end token; the last two are trained.
* Plain text is trained whole, end token included.
* With one of Firefly's templates, its own rules hold: `firefly.segments`.

Masks come from lengths and character positions, never from ids: a pad token that equals the end
token is no problem. What this leaves out: tools, images, and special tokens spelt out in a
message's content, which are read as such, as they are at inference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from luciola.conversation.encoding import Encoder
from luciola.conversation.firefly.formats import SCHEME
from luciola.conversation.firefly.segments import FireflyTemplate
from luciola.conversation.firefly.source import firefly_name
from luciola.conversation.template import ChatTemplate
from luciola.conversation.turns import (
    Layout,
    last_trained,
    prompt_layout,
    training_layout,
    training_layouts,
)
from luciola.errors import TemplateError
from luciola.types import Completion, Conversation, Example, Message, Origin, Text, Tokens

NOWHERE = Origin()
KNOWN_PREFIXES = 4096
"""System messages whose prefix is remembered."""


class Renderer:
    """Renders examples to tokens, for training and for inference alike.

    `prompt_ids(messages[:i])` are exactly the first tokens of the trained conversation `messages`,
    for each of its trained answers i, so that the model is trained on the prompts that it will see.

    Args:
        tokenizer: a transformers tokenizer with offsets ("fast").
        template: a Jinja file, or firefly:NAME, to use instead of the tokenizer's own chat
            template.
        system: system message for conversations that have none.
        max_length: tokens kept of each example by calling the renderer; 0: all.

    Raises: TemplateError if the template file cannot be used.
    """

    def __init__(
        self, tokenizer: Any, *, template: str = "", system: str = "", max_length: int = 0
    ) -> None:
        self.tokenizer = tokenizer
        self.system = system
        self.max_length = max_length
        name = firefly_name(template, getattr(tokenizer, "chat_template", None))
        self._firefly = None if name is None else FireflyTemplate(tokenizer, name)
        if self._firefly is None:
            self._template = ChatTemplate(tokenizer, template)
            self._encoder  # noqa: B018  # a tokenizer without offsets is refused here
        elif template.startswith(SCHEME):
            self._firefly.announce()
        self._prefixes: dict[str | None, list[int]] = {}

    def __call__(self, example: Example) -> Tokens:
        """`example` as tokens, cut to `max_length`; no trained token may be left, see `truncate`.

        Raises:
            DataError: a conversation without a turn that can be trained.
            TemplateError: the chat template is missing, refuses the conversation, or rewrites a
                trained turn.
        """
        return truncate(self.render(example), self.max_length)[0]

    def render(self, example: Example) -> Tokens:
        """`example` as tokens, whatever its length; raises as calling the renderer does."""
        if isinstance(example, Conversation):
            return self._conversation(example)
        if isinstance(example, Completion):
            return self._completion(example)
        return self._text(example)

    def render_all(self, example: Example) -> list[Tokens]:
        """As `render`; a conversation whose earlier turns the template rewrites becomes several
        examples, in which each answer is trained once, behind its prompt at inference.
        """
        if self._firefly or not isinstance(example, Conversation):
            return [self.render(example)]
        whole = replace(example, messages=self._with_system(example.messages))
        layouts = training_layouts(whole, self._template)
        return [self._laid_out(layout, whole, example) for layout in layouts]

    def answered(self, prompt: Sequence[Message], answer: str, origin: Origin = NOWHERE) -> Tokens:
        """`render` of turns with an answer behind them, of which only the answer is trained.

        Firefly strips the texts of a conversation, but not an answer that is compared with others.
        """
        history = tuple(Message(m.role, m.content, trained=False) for m in prompt)
        conversation = Conversation((*history, Message("assistant", answer)), origin)
        return self._conversation(conversation, verbatim=True)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The tokens after which the model writes its next answer."""
        whole = self._with_system(tuple(messages))
        if self._firefly:
            return self._firefly.encode(self._firefly.segments(whole))[0]
        return self._encode(prompt_layout(whole, self._template))[0]

    def text_prompt_ids(self, prompt: str) -> list[int]:
        """The tokens of a raw prompt, as a `Completion` begins with them."""
        return self._encoder.opening(prompt)

    def end_ids(self) -> list[int]:
        """The tokens that end an answer: the tokenizer's end token, the template's end mark."""
        if self._firefly:
            return self._firefly.end_ids()
        ids = set(self._encoder.end)
        probe = Conversation((Message("user", "a"), Message("assistant", "b")))
        try:
            tokens = self.render(probe)
        except TemplateError:
            return sorted(ids)
        last = int(tokens.ids[tokens.trained][-1])
        return sorted(ids | ({last} & set(self.tokenizer.added_tokens_decoder)))

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self.tokenizer)

    def _conversation(self, example: Conversation, *, verbatim: bool = False) -> Tokens:
        messages = self._with_system(example.messages)
        whole = replace(example, messages=messages)
        if self._firefly:
            kept = messages[: last_trained(whole) + 1]
            segments = self._firefly.segments(kept, origin=example.origin, verbatim=verbatim)
            ids, trained = self._firefly.encode(segments)
        else:
            return self._laid_out(training_layout(whole, self._template), whole, example)
        return self._trimmed(ids, trained, whole, example)

    def _laid_out(self, layout: Layout, whole: Conversation, example: Conversation) -> Tokens:
        return self._trimmed(*self._encode(layout), whole, example)

    def _trimmed(
        self, ids: list[int], trained: list[bool], whole: Conversation, example: Conversation
    ) -> Tokens:
        """The tokens up to the last trained one."""
        length = int(np.flatnonzero(trained)[-1]) + 1 if any(trained) else len(ids)
        prefix = self._known_prefix(whole.messages, ids)
        return _tokens(ids[:length], trained[:length], example, prefix)

    def _completion(self, example: Completion) -> Tokens:
        prompt = self._encoder.opening(example.prompt)
        answer = self._encoder.piece(example.completion, first=not example.prompt).ids
        answer = self._encoder.closing(answer)
        trained = [False] * len(prompt) + [True] * len(answer)
        return _tokens(prompt + answer, trained, example)

    def _text(self, example: Text) -> Tokens:
        ids = self._encoder.closing(self._encoder.opening(example.text))
        return _tokens(ids, [True] * len(ids), example)

    def _with_system(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if not self.system or (messages and messages[0].role == "system"):
            return messages
        return (Message("system", self.system), *messages)

    def _encode(self, layout: Layout) -> tuple[list[int], list[bool]]:
        """Ids and mask: a piece up to the first answer, then one per answer and what follows."""
        borders = [0, *(s.start for s in layout.spans if s.answer), len(layout.text)]
        ids: list[int] = []
        trained: list[bool] = []
        for start, stop in pairwise(borders):
            piece = self._encoder.piece(layout.text[start:stop], first=start == 0)
            mask = [False] * len(piece.ids)
            for span in layout.spans:
                if span.trained:
                    first = bisect_left(piece.starts, span.start - start)
                    last = bisect_left(piece.starts, span.end - start)
                    mask[first:last] = [True] * (last - first)
            ids += piece.ids
            trained += mask
        return ids, trained

    def _known_prefix(self, messages: tuple[Message, ...], ids: list[int]) -> int:
        """Leading tokens of every conversation with this system message; 0 if not of this one."""
        system = messages[0] if messages[0].role == "system" else None
        key = None if system is None else system.content
        if key not in self._prefixes:
            if len(self._prefixes) >= KNOWN_PREFIXES:
                self._prefixes.clear()
            self._prefixes[key] = self._prefix(() if system is None else (system,))
        prefix = self._prefixes[key]
        return len(prefix) if ids[: len(prefix)] == prefix else 0

    def _prefix(self, opening: tuple[Message, ...]) -> list[int]:
        """What two prompts with nothing in common but `opening` begin with."""
        try:
            one = self.prompt_ids([*opening, Message("user", "a")])
            other = self.prompt_ids([*opening, Message("user", "1")])
        except TemplateError:
            return []
        return one[: common_length(one, other)]


def truncate(tokens: Tokens, max_length: int) -> tuple[Tokens, bool]:
    """The first `max_length` tokens (0: all), and whether any were cut.

    What is left may have no trained token; counting and reporting such examples is the caller's
    part.
    """
    if not max_length or len(tokens) <= max_length:
        return tokens, False
    cut = Tokens(
        ids=tokens.ids[:max_length],
        trained=tokens.trained[:max_length],
        origin=tokens.origin,
        prefix=min(tokens.prefix, max_length),
    )
    return cut, True


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Number of leading tokens that both have."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _tokens(ids: list[int], trained: list[bool], example: Example, prefix: int = 0) -> Tokens:
    """As arrays; the first token, which has nothing before it, and a prefix are not trained."""
    mask = np.array(trained, dtype=np.bool_)
    mask[:1] = False
    first = int(mask.argmax()) if mask.any() else len(ids)
    return Tokens(np.array(ids, dtype=np.int32), mask, example.origin, min(prefix, first))
