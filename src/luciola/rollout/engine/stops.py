"""Stop strings in an answer that grows: only its end is looked at, and the whole only on a find."""

from __future__ import annotations

from collections.abc import Sequence

from luciola.rollout.rows import Decode

SLACK = 8
"""Tokens looked at beside one per character of the longest stop string: pieces of characters and
tokens without text."""


def first_stop(ids: Sequence[int], before: int, stop: Sequence[str], decode: Decode) -> int | None:
    """How many tokens an answer has when a stop string is complete; None where none is.

    Args:
        ids: all tokens so far.
        before: tokens in which no stop string was found.
        stop: strings, at least one.
        decode: tokens to text.
    """
    window = max(map(len, stop)) + SLACK
    text = decode(ids[max(0, before - window) :])
    if not any(one in text for one in stop):
        return None
    for count in range(before + 1, len(ids) + 1):
        text = decode(ids[:count])
        if any(one in text for one in stop):
            return count
    return None
