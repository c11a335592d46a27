"""What of a conversation fits into the model's context: the oldest turns are left out first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from luciola.errors import LuciolaError
from luciola.types import Message

ROOM_SHARE = 4
"""An answer has this part of the context to itself, or less where it may not be that long."""


def fit(
    messages: Sequence[Message],
    encode: Callable[[Sequence[Message]], list[int]],
    context: int | None,
    max_new_tokens: int,
) -> tuple[list[int], int]:
    """Tokens of the latest turns that leave room for an answer, and how many turns were left out.

    A system message always stays. Turns go from one of the user's to the next, so that what is
    left begins with one.

    Raises: LuciolaError if the last turn alone leaves no room.
    """
    opening = [message for message in messages[:1] if message.role == "system"]
    turns = list(messages[len(opening) :])
    starts = [index for index, turn in enumerate(turns) if turn.role == "user"] or [0]
    room = min(max_new_tokens, (context or 0) // ROOM_SHARE)
    ids: list[int] = []
    for start in [0, *(start for start in starts if start > 0)]:
        ids = encode([*opening, *turns[start:]])
        if context is None or len(ids) + room <= context:
            return ids, start
    if context is not None and len(ids) < context:
        return ids, starts[-1]  # less room than wished for, but some
    raise LuciolaError(
        f"the last message has {len(ids):,} tokens with what surrounds it, and the model's "
        f"context of {context:,} leaves no room for an answer",
        remedy="Shorten the message or the system prompt, or use a model with a longer context.",
    )
