"""A question about a database, as every part of text-to-SQL hands it on."""

from __future__ import annotations

from dataclasses import dataclass

from luciola.types import Origin

NOWHERE = Origin()


@dataclass(frozen=True)
class Question:
    """A question; what is not known of it is "".

    Args:
        db_id: the name of its database.
        question: the text, to the byte, with BIRD's evidence behind it.
        query: its gold SQL.
        prediction: a first answer to it.
        difficulty: the data set's own word for it: BIRD's simple, moderate, challenging.
        origin: the row it was read from.
    """

    db_id: str
    question: str
    query: str = ""
    prediction: str = ""
    difficulty: str = ""
    origin: Origin = NOWHERE
