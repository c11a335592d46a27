"""A prompt and an answer to it as tokens, apart, and how the two are cut to length.

What reward models and preference methods read. The same prompt gives the same tokens whatever
follows it, so that answers to it can share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luciola.conversation.render import Renderer
from luciola.types import Completion, Conversation, Message, Origin, Tokens

Prompt = str | tuple[Message, ...]
NOWHERE = Origin()


@dataclass(frozen=True)
class Lengths:
    """What is kept of a long example.

    Args:
        longest: tokens of prompt and answer together.
        prompt: last tokens of the prompt that are kept before an answer is cut; below `longest`.
    """

    longest: int
    prompt: int


class AnswerRenderer:
    """Renders prompts with answers; turns through the chat template, plain texts as they are.

    Args:
        renderer: for one tokenizer and template.
        lengths: what is kept of long ones.
        closed: every answer ends with an end token, also one that was cut, as a model that judges
            whole answers needs it; else an answer that was cut just stops.

    So far, `num_cut` answers did not fit behind their prompts whole, and the longest had `longest`
    tokens with its prompt.
    """

    def __init__(self, renderer: Renderer, lengths: Lengths, *, closed: bool) -> None:
        self.renderer = renderer
        self.lengths = lengths
        self.closed = closed
        self.num_cut = 0
        self.longest = 0
        self._end: dict[bool, list[int]] = {}
        self._ends = set(renderer.end_ids())

    def __call__(
        self, prompt: Prompt, answers: Sequence[str], origin: Origin = NOWHERE
    ) -> tuple[Tokens, ...]:
        """Each answer behind the prompt, which is the `prefix` of all; the answers are trained.

        Raises: TemplateError if the chat template is missing or refuses the prompt.
        """
        pairs = [self.ids(prompt, answer, origin) for answer in answers]
        sizes = [len(head) + len(tail) for head, tail in pairs]
        self.num_cut += sum(size > self.lengths.longest for size in sizes)
        self.longest = max(self.longest, *sizes)
        head, tails = cut(pairs[0][0], [tail for _, tail in pairs], self.lengths)
        if self.closed:
            tails = [
                self._closed(tail, pair[1], prompt) for tail, pair in zip(tails, pairs, strict=True)
            ]
        return tuple(_tokens(head, tail, origin) for tail in tails)

    def ids(
        self, prompt: Prompt, answer: str, origin: Origin = NOWHERE
    ) -> tuple[list[int], list[int]]:
        """Tokens of the prompt, and of the answer with its end token, whole."""
        if isinstance(prompt, str):
            ids = self.renderer.render(Completion(prompt, answer, origin)).ids.tolist()
            first = len(self.renderer.text_prompt_ids(prompt))
        else:
            tokens = self.renderer.answered(prompt, answer, origin)
            ids = tokens.ids.tolist()
            first = int(tokens.trained.argmax()) if tokens.trained.any() else len(ids)
        tail = ids[first:]
        missing = self.closed and not (tail and tail[-1] in self._ends)
        return ids[:first], [*tail, *self._end_of(prompt)] if missing else tail

    def _closed(self, tail: list[int], whole: list[int], prompt: Prompt) -> list[int]:
        """An answer that lost its end token gets it back in the place of its last token."""
        end = self._end_of(prompt)
        return tail if len(tail) == len(whole) or not end else [*tail[: -len(end)], *end]

    def _end_of(self, prompt: Prompt) -> list[int]:
        """The token that ends answers to such prompts; empty where the tokenizer has none."""
        is_chat = not isinstance(prompt, str)
        if is_chat not in self._end:
            example = Completion("a", "b")
            probe: Completion | Conversation = example
            if is_chat:
                probe = Conversation((Message("user", "a"), Message("assistant", "b")))
            ids = self.renderer.render(probe).ids.tolist()
            found = ids[-1:] if ids[-1] in self._ends else self.renderer.render(example).ids[-1:]
            self._end[is_chat] = [int(id) for id in found if int(id) in self._ends]
        return self._end[is_chat]


def cut(
    prompt: list[int], answers: Sequence[list[int]], lengths: Lengths
) -> tuple[list[int], list[list[int]]]:
    """Prompt and answers so that each answer fits behind the prompt.

    Where prompt and longest answer are too long together, the prompt loses its beginning, down to
    what the longest answer leaves but not below `lengths.prompt` tokens; then answers lose their
    end. The rule is Firefly's.
    """
    longest = max(map(len, answers))
    if len(prompt) + longest > lengths.longest:
        prompt = prompt[-max(lengths.prompt, lengths.longest - longest) :]
    room = lengths.longest - len(prompt)
    return prompt, [answer[:room] for answer in answers]


def _tokens(prompt: list[int], answer: list[int], origin: Origin) -> Tokens:
    ids = np.array([*prompt, *answer], np.int32)
    trained = np.arange(len(ids)) >= max(len(prompt), 1)
    return Tokens(ids, trained, origin, len(prompt))
