"""Text as it comes: whole characters, no part of a stop string, and in the end the same text."""

from __future__ import annotations

from typing import Any

import pytest

from luciola.chat.streaming import TextStream


class Bytes:
    """A tokenizer whose ids are the bytes of UTF-8."""

    def decode(self, ids: list[int], **options: Any) -> str:
        return bytes(ids).decode(errors="replace")


def stream(text: str, stop: tuple[str, ...] = (), step: int = 1) -> list[str]:
    told: list[str] = []
    one = TextStream(Bytes(), stop, told.append)
    ids = list(text.encode())
    for start in range(0, len(ids), step):
        one.take(ids[start : start + step])
    return told


@pytest.mark.parametrize("step", [1, 3, 100])
def test_characters_are_told_whole(step: int) -> None:
    told = stream("aé語🙂z", step=step)
    assert "".join(told) == "aé語🙂z"
    assert not any("�" in piece for piece in told)


def test_every_character_is_told_as_soon_as_it_is_complete() -> None:
    assert stream("né🙂") == ["n", "é", "🙂"]


def test_what_may_become_a_stop_string_is_held_back() -> None:
    """`<x` is told once `x` shows that it is no stop; `<en` waits, and `<end>` is never told."""
    assert stream("a<xb<en", ("<end>",)) == ["a", "<x", "b"]
    assert "".join(stream("ab<end>cd", ("<end>",))) == "ab"


def test_the_first_of_several_stop_strings_counts_whatever_their_order() -> None:
    assert "".join(stream("a<b>c<d>e", ("<d>", "<b>"), step=100)) == "a"


def test_the_end_tells_what_was_held_back() -> None:
    told: list[str] = []
    one = TextStream(Bytes(), ("<end>",), told.append)
    one.take(list(b"a<e"))
    one.finish("a<e")
    assert told == ["a", "<e"]
    assert (one.told, one.count) == ("a<e", 3)
