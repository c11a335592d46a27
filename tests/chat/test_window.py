"""What is left out of a conversation that is too long; a message of n letters has n tokens."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from luciola.chat.window import fit
from luciola.errors import LuciolaError
from luciola.types import Message

SYSTEM = Message("system", "s" * 5)
TURNS = [
    Message(role, letter * 10)
    for role, letter in zip(["user", "assistant"] * 3, "abcdef", strict=True)
][:5]


def encode(messages: Sequence[Message]) -> list[int]:
    return [ord(letter) for message in messages for letter in message.content]


def text(ids: list[int]) -> str:
    return "".join(map(chr, ids[::5]))


def test_everything_is_seen_where_it_fits() -> None:
    """55 tokens and 5 for the answer fit into 60, not into 59."""
    assert fit([SYSTEM, *TURNS], encode, 60, 5)[1] == 0
    assert fit([SYSTEM, *TURNS], encode, 59, 5)[1] == 2
    assert fit([SYSTEM, *TURNS], encode, None, 5)[1] == 0


def test_the_oldest_turns_go_and_the_system_message_stays() -> None:
    """35 tokens from the second question on."""
    ids, left_out = fit([SYSTEM, *TURNS], encode, 45, 10)
    assert (text(ids), left_out) == ("sccddee", 2)


def test_the_answer_has_a_quarter_at_most_to_itself() -> None:
    assert fit([SYSTEM, *TURNS], encode, 80, 1000)[1] == 0
    assert fit([SYSTEM, *TURNS], encode, 72, 1000)[1] == 2


def test_the_last_message_is_answered_in_what_room_there_is() -> None:
    ids, left_out = fit([SYSTEM, *TURNS], encode, 16, 1000)
    assert (text(ids), left_out) == ("see", 4)


def test_a_message_beyond_the_context_is_refused() -> None:
    with pytest.raises(LuciolaError, match=r"has 15 tokens .* context of 15 leaves no room"):
        fit([SYSTEM, *TURNS], encode, 15, 1000)
