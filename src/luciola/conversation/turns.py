"""Where the model's own text lies in a rendered conversation, found by rendering turn by turn.

The messages before an answer are rendered as a prompt, then the messages up to and including the
answer; what the second text adds is what the model has to write. That holds only where a template
keeps prefixes, which is checked. Some templates rewrite earlier turns: Qwen3's drops the thoughts
of all answers before the last question. Such a conversation becomes several layouts, so that each
answer is trained behind the very prompt that the model sees when it writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from luciola.conversation.template import NOWHERE, ChatTemplate
from luciola.errors import DataError, RewrittenTurnError, TemplateError
from luciola.types import Conversation, Message, Origin

KEEP_PREFIXES = (
    "Name a template that leaves earlier turns as they are with template=FILE.jinja, or make one "
    "conversation per answer with `luciola data convert FILE OUT --single-turns`."
)


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of one turn's text; `answer`: the model writes all of it."""

    start: int
    end: int
    trained: bool
    answer: bool


@dataclass(frozen=True)
class Layout:
    """A rendered conversation: its text, and the spans that are answers or trained, in order."""

    text: str
    spans: tuple[Span, ...]


def is_trained(message: Message) -> bool:
    """The message's own wish, else the rule: the assistant's turns are."""
    return message.role == "assistant" if message.trained is None else message.trained


def training_layout(conversation: Conversation, template: ChatTemplate) -> Layout:
    """The text up to the last trained turn, and the spans in it.

    Raises:
        DataError: no turn is trained.
        TemplateError: the template rewrites a trained turn when others follow, or refuses the
            conversation.
    """
    origin = conversation.origin
    last = last_trained(conversation)
    messages = conversation.messages[: last + 1]
    text = template.text(messages, prompt=False, origin=origin)
    return Layout(text, tuple(_spans(messages, text, template, origin, closed=True)))


def training_layouts(conversation: Conversation, template: ChatTemplate) -> list[Layout]:
    """As few layouts as train each turn once, behind the prompt that the model sees at inference.

    One, where the template keeps earlier turns as they are. Else the last holds all turns that it
    keeps, and those that it rewrites are trained in layouts that end with them.

    Raises: as `training_layout` does, but not where a turn is rewritten by later ones.
    """
    layouts: list[Layout] = []
    rest: Conversation | None = conversation
    while rest is not None:
        last = last_trained(rest)
        messages = rest.messages[: last + 1]
        text = template.text(messages, prompt=False, origin=rest.origin)
        rewritten: set[int] = set()
        spans = _spans(messages, text, template, rest.origin, closed=True, rewritten=rewritten)
        layouts.append(Layout(text, tuple(spans)))
        rest = _only(rest, rewritten) if rewritten else None
    return layouts[::-1]


def _only(conversation: Conversation, turns: Collection[int]) -> Conversation:
    """The conversation with only some of its turns trained."""
    messages = enumerate(conversation.messages)
    marked = (replace(message, trained=i in turns) for i, message in messages)
    return replace(conversation, messages=tuple(marked))


def prompt_layout(messages: Sequence[Message], template: ChatTemplate) -> Layout:
    """The text up to where the next answer begins, with the answers in it; none is trained."""
    text = template.text(messages, prompt=True)
    quiet = [Message(message.role, message.content, trained=False) for message in messages]
    return Layout(text, tuple(_spans(quiet, text, template, NOWHERE, closed=False)))


def single_turns(conversation: Conversation) -> list[Conversation]:
    """One conversation per trained turn: the turns up to it, only the last of them trained.

    The way out where a template rewrites earlier turns: each answer is then trained after exactly
    the history that the model will see, at the price of reading that history once per answer.
    """
    messages = conversation.messages
    return [
        Conversation(
            (*(Message(m.role, m.content, trained=False) for m in messages[:i]), messages[i]),
            conversation.origin,
        )
        for i in range(len(messages))
        if is_trained(messages[i])
    ]


def last_trained(conversation: Conversation) -> int:
    """Index of the last message that is trained; an opening answer, which has no prompt, is not.

    Raises: DataError if none is.
    """
    trained = [i for i, message in enumerate(conversation.messages) if i and is_trained(message)]
    if trained:
        return trained[-1]
    roles = [message.role for message in conversation.messages]
    found = "no assistant turn" if "assistant" not in roles else "no turn that can be trained"
    raise DataError(
        f"the conversation has {found} (its roles: {', '.join(roles) or 'none'})",
        path=conversation.origin.path or None,
        line=conversation.origin.line or None,
        remedy="Only assistant turns that follow another turn are trained.",
    )


def _spans(
    messages: Sequence[Message],
    text: str,
    template: ChatTemplate,
    origin: Origin,
    *,
    closed: bool,
    rewritten: set[int] | None = None,
) -> Iterator[Span]:
    """The spans of the turns that are answers or trained, and that `text` keeps as they are.

    `closed`: `text` is the messages and no more; else a prompt for the next answer ends it.
    `rewritten` takes the trained turns that later ones change; where it is None they are an error.
    """
    for i, message in enumerate(messages):
        trained, answer = is_trained(message), message.role == "assistant"
        if i == 0 or not (trained or answer):
            continue
        before = template.text(messages[:i], prompt=answer, origin=origin)
        is_text = closed and i + 1 == len(messages)  # rendered already
        after = text if is_text else template.text(messages[: i + 1], prompt=False, origin=origin)
        if after.startswith(before) and text.startswith(after):
            yield Span(len(before), template.answer_end(after), trained, answer)
        elif trained and rewritten is not None and after.startswith(before):
            rewritten.add(i)
        elif trained:
            raise _rewritten(i, before, after, template, origin)


def _rewritten(
    index: int, before: str, after: str, template: ChatTemplate, origin: Origin
) -> TemplateError:
    where = f"{origin}: " if origin.path else ""
    if after.startswith(before):
        return RewrittenTurnError(
            f"{where}{template.name} renders turn {index + 1} differently once more turns follow "
            "(it does not keep prefixes), so it cannot be trained as the model will see it",
            remedy=KEEP_PREFIXES,
        )
    start = next(i for i, c in enumerate(before) if not after.startswith(before[: i + 1]))
    return TemplateError(
        f"{where}{template.name} prompts for an answer with {before[start:][-40:]!r}, but renders "
        f"turn {index + 1} as {after[start:][:40]!r} there: it does not continue the prompt",
        remedy="Name a template whose answers continue its prompts with template=FILE.jinja.",
    )
