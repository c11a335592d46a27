"""Tokens as people can read them: which are trained, which are not, and where each begins.

In colour, every other token is a shade lighter; without, runs of trained tokens stand in brackets.
Spaces, line breaks and tabs are made visible. A character that is spelt by several tokens is shown
once, with all of them as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from luciola.types import Tokens

RESET = "\x1b[0m"
TRAINED = ("\x1b[30;42m", "\x1b[30;102m")
"""Black on green and on light green."""
UNTRAINED = ("\x1b[37;100m", "\x1b[30;47m")
"""White on dark grey, black on light grey."""
OPEN, CLOSE = "⟦", "⟧"
VISIBLE = str.maketrans({" ": "·", "\t": "⇥", "\r": "␍", "\n": "↵\n", "\x1b": "␛"})
WHOLE = 8
"""Tokens that may spell one character together."""


@dataclass(frozen=True)
class Cell:
    """The text of one token, or of several that spell one character."""

    text: str
    trained: bool


def show(tokens: Tokens, tokenizer: Any, *, colour: bool) -> str:
    """The tokens as text, trained ones marked, with a line of counts."""
    marked = (_coloured if colour else _bracketed)(list(cells(tokens, tokenizer)))
    trained = int(tokens.trained.sum())
    counts = f"{len(tokens)} tokens, {trained} trained, {len(tokens) - trained} not"
    shared = f", the first {tokens.prefix} shared" if tokens.prefix else ""
    return f"{marked}\n{tokens.origin or 'example'}: {counts}{shared}"


def legend(*, colour: bool) -> str:
    """What the marks mean, in one line."""
    if colour:
        trained = f"{TRAINED[0]}tra{TRAINED[1]}ined{RESET}"
        untrained = f"{UNTRAINED[0]}not·{UNTRAINED[1]}trained{RESET}"
    else:
        trained, untrained = f"{OPEN}trained{CLOSE}", "not·trained"
    return f"{trained} {untrained}   · space, ↵ line break, ⇥ tab"


def cells(tokens: Tokens, tokenizer: Any) -> Iterator[Cell]:
    """The text of each token, in order.

    A token is decoded behind the one before it, because alone some lose the space at their front.
    """
    ids = [int(i) for i in tokens.ids]
    start = 0
    while start < len(ids):
        for stop in range(start + 1, min(start + WHOLE, len(ids)) + 1):
            text = _text(ids, start, stop, tokenizer)
            if not text.endswith("\ufffd"):
                break
        else:
            stop = start + 1
            text = _text(ids, start, stop, tokenizer)
        yield Cell(text, bool(tokens.trained[start]))
        start = stop


def _text(ids: list[int], start: int, stop: int, tokenizer: Any) -> str:
    before = ids[max(0, start - 1) : start]
    known: str = tokenizer.decode(before, clean_up_tokenization_spaces=False) if before else ""
    text: str = tokenizer.decode([*before, *ids[start:stop]], clean_up_tokenization_spaces=False)
    if text.startswith(known):
        return text[len(known) :]
    alone: str = tokenizer.decode(ids[start:stop], clean_up_tokenization_spaces=False)
    return alone


def _coloured(shown: list[Cell]) -> str:
    parts = []
    for index, cell in enumerate(shown):
        shade = (TRAINED if cell.trained else UNTRAINED)[index % 2]
        lines = cell.text.translate(VISIBLE).split("\n")  # no colour over a line's end
        parts.append("\n".join(f"{shade}{line}{RESET}" if line else "" for line in lines))
    return "".join(parts)


def _bracketed(shown: list[Cell]) -> str:
    parts: list[str] = []
    trained = False
    for cell in shown:
        if cell.trained != trained:
            parts.append(OPEN if cell.trained else CLOSE)
            trained = cell.trained
        parts.append(cell.text.translate(VISIBLE))
    return "".join(parts) + (CLOSE if trained else "")
