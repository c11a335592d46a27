"""A database as a specialist reads it: its schema as a prompt, and the values questions mention."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from luciola.specialist.augment.augmenter import plain
from luciola.specialist.augment.source import asked, blueprint
from luciola.specialist.expertise import Expertise
from luciola.sql.answer import extract_sql
from luciola.sql.database.allowed import Allowed
from luciola.sql.prompt import conversation, messages, schema_text
from luciola.sql.prune import prune
from luciola.sql.schema import Schema, read_schema
from luciola.sql.values import Mention, ValueIndex
from luciola.types import Conversation, Message, Origin

COPYING_COST = 2.2
"""Tokens of a schema in the copying prompt for each in the house prompt, by which it is pruned."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """One database, read once.

    Args:
        database: path or URL.
        schema: its tables.
        values: its cell values; None: questions are not searched for them.
        text: the whole schema as the house prompt shows it.
        expertise: how the model is asked.
        fits: whether the whole text leaves room for a question and its answer.
        budget: tokens that a schema may have.
        count_tokens: of a text.
    """

    database: str
    schema: Schema
    values: ValueIndex | None
    text: str
    expertise: Expertise
    fits: bool
    budget: int
    count_tokens: Callable[[str], int]

    @classmethod
    def of(
        cls,
        database: str | Path,
        expertise: Expertise,
        *,
        budget: int,
        count_tokens: Callable[[str], int],
        allowed: Allowed | None = None,
    ) -> Reading:
        """Read a database, or what is allowed of it.

        Raises: DatabaseError if it cannot be opened, or is no database.
        """
        schema = read_schema(database, allowed)
        values = ValueIndex.read(database, schema) if expertise.mentions else None
        text = schema_text(schema, types=expertise.types)
        size = count_tokens(text)
        if expertise.prompt == "copying":
            budget = int(budget / COPYING_COST)
        if size > budget:
            log.warning(
                "the schema of %s has %d tokens and %d fit: each question is shown the tables that "
                "fit it best",
                database,
                size,
                budget,
            )
        fits = size <= budget
        return cls(str(database), schema, values, text, expertise, fits, budget, count_tokens)

    def mentions(self, question: str) -> tuple[Mention, ...]:
        """Cell values that the question mentions."""
        return self.values.mentioned(question) if self.values is not None else ()

    def messages(self, question: str) -> tuple[Message, ...]:
        """What the model is asked."""
        mentions = self.mentions(question)
        if self.expertise.prompt == "copying":
            return self._copying(question, mentions)
        text = self.schema_for(question, mentions)
        return messages(text, question, mentions, dialect=self.schema.dialect)

    def conversation(self, question: str, sql: str, origin: Origin) -> Conversation:
        """What the model is taught: the same question, and its answer."""
        mentions = self.mentions(question)
        text = self.schema_for(question, mentions)
        return conversation(
            text, question, mentions, sql, dialect=self.schema.dialect, origin=origin
        )

    def sql(self, answer: str) -> str:
        """The SQL in the model's answer."""
        return extract_sql(answer)

    def _copying(self, question: str, mentions: tuple[Mention, ...]) -> tuple[Message, ...]:
        schema = self.schema
        if not self.fits:
            schema = prune(schema, question, mentions, self.budget, self.count_tokens)
        example = asked(blueprint(self.database, schema), question, mentions)
        written = plain(example, dialect=schema.dialect)
        return (Message("system", written.system), Message("user", written.user))

    def schema_for(self, question: str, mentions: tuple[Mention, ...]) -> str:
        """The schema's text; of one that is too long the part that the question is about."""
        if self.fits:
            return self.text
        types = self.expertise.types
        part = prune(self.schema, question, mentions, self.budget, self.count_tokens, types=types)
        return schema_text(part, types=self.expertise.types)
