"""Literals exchanged in question and answer alike, so that they are copied and not remembered."""

from __future__ import annotations

import random
import re

from luciola.specialist.augment.draft import Draft
from luciola.specialist.augment.example import ColumnRef, Literal

_INTEGER = re.compile(r"\d{1,9}")


def swap_literals(draft: Draft, rng: random.Random, share: float) -> None:
    """Exchange about `share` of the literals that the question states word for word, once."""
    column = None
    for index, piece in enumerate(draft.pieces):
        if isinstance(piece, ColumnRef):
            column = piece
        if not isinstance(piece, Literal) or rng.random() >= share:
            continue
        if piece.string and column is not None:
            _swap_string(draft, rng, index, piece, (column.table, column.column))
        elif not piece.string and _INTEGER.fullmatch(piece.text):
            _swap_number(draft, rng, index, piece)


def _swap_number(draft: Draft, rng: random.Random, index: int, piece: Literal) -> None:
    if int(piece.text) < 2 or draft.question.count(piece.text) != 1:
        return  # "1" is as often "top" as a number of its own
    if _occurrences(draft, piece) != 1:
        return
    value = int(piece.text)
    if 1900 <= value <= 2030:
        new = str(rng.randint(1960, 2020))
    else:
        new = str(rng.randint(max(2, value // 3), value * 3 + 1))
    draft.question[draft.question.index(piece.text)] = new
    draft.pieces[index] = Literal(new, False)


def _swap_string(
    draft: Draft, rng: random.Random, index: int, piece: Literal, place: tuple[int, int]
) -> None:
    values = draft.column_at[place].values
    question = "".join(draft.question)
    if not values or question.count(piece.text) != 1 or _occurrences(draft, piece) != 1:
        return
    if not _whole_words(question, piece.text):
        return
    new = rng.choice(values)
    if "%" in piece.text or any(new == other for _, other in draft.mentions):
        return
    question = question.replace(piece.text, new)
    draft.question = re.findall(r"[^\W_]+|[\W_]", question)
    draft.pieces[index] = Literal(new, True)
    draft.mentions = [
        (at, new if at == place and value == piece.text else value)
        for at, value in draft.mentions
        if at == place or value != piece.text
    ]


def _whole_words(question: str, text: str) -> bool:
    start = question.find(text)
    before, after = question[:start][-1:], question[start + len(text) :][:1]
    return not before.isalnum() and not after.isalnum()


def _occurrences(draft: Draft, piece: Literal) -> int:
    return sum(isinstance(p, Literal) and p.text == piece.text for p in draft.pieces)
