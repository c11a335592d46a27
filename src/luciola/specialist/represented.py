"""A database as a representation of DAIL-SQL shows it to a model that was trained on it.

Where a prompt does not fit, it shows the tables that the question is about, chosen as for the
house prompt; nothing is cut in silence. CREATE TABLE texts stay whole; the other ways of writing
leave out columns too where one table alone is too long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from luciola.conversation.render import common_length
from luciola.specialist.form import Form, UnusableError
from luciola.sql.dail.facts import SchemaFacts, TableFacts, read_facts
from luciola.sql.dail.representation import Representation
from luciola.sql.database.allowed import Allowed
from luciola.sql.identifier import identifier
from luciola.sql.lexer import pieces
from luciola.sql.prompt import schema_text, table_line
from luciola.sql.prune import most_relevant
from luciola.sql.schema import Schema, Table, read_schema
from luciola.types import Completion, Conversation, Origin

SHRINK = 0.8
"""Each try to prune has this share of the tokens of the one before."""
SMALLEST = 8
"""Tokens of a schema below which no further try is made."""

log = logging.getLogger(__name__)


@dataclass
class Represented:
    """One database, read once.

    Args:
        database: path of a SQLite file.
        facts: what a representation shows of it.
        chosen: how it is written.
        form: how the model reads it.
        room: tokens that a prompt may have.
        count_tokens: of a text.
        num_partial: questions so far that were shown a part of the schema.
    """

    database: str
    facts: SchemaFacts
    chosen: Representation
    form: Form
    room: int
    count_tokens: Callable[[str], int]
    num_partial: int = 0
    allowed: Allowed | None = None

    @classmethod
    def of(
        cls,
        database: str | Path,
        chosen: Representation,
        form: Form,
        *,
        room: int,
        count_tokens: Callable[[str], int],
        allowed: Allowed | None = None,
    ) -> Represented:
        """Read a database, or what is allowed of it.

        A model that was trained with less room keeps to that.

        Raises: DatabaseError if it is no SQLite file, or cannot be read.
        """
        room = min(room, form.expertise.room or room)
        facts = read_facts(database)
        if allowed is not None:
            facts = allowed_facts(facts, read_schema(database, allowed))
        read = cls(str(database), facts, chosen, form, room, count_tokens, allowed=allowed)
        size = len(form.ids(chosen.prompt(read.facts, "")))
        if size >= room:
            log.warning(
                "%s in %s has %d tokens without a question and %d fit: each question is shown the "
                "tables that fit it best",
                database,
                chosen.name,
                size,
                room,
            )
        return read

    def prompt_ids(self, question: str) -> list[int]:
        """The tokens that the model is asked with.

        Raises: UnusableError.
        """
        return self.form.ids(self.prompt(question))

    def example(self, question: str, query: str, origin: Origin) -> Completion | Conversation:
        """What the model is taught: the same prompt, and the rest of the query.

        Raises: UnusableError, also for a query that does not begin with SELECT.
        """
        return self.form.example(self.prompt(question), query, origin)

    def sql(self, answer: str) -> str:
        """The SQL in the model's answer."""
        return self.form.sql(answer)

    def prompt(self, question: str) -> str:
        """The prompt's text, with as many tables as fit.

        Raises: UnusableError where not even one does.
        """
        prompt = self.chosen.prompt(self.facts, question)
        size = len(self.form.ids(prompt))
        if size <= self.room:
            return prompt
        for facts in self._smaller(question, self.room / size):
            prompt = self.chosen.prompt(facts, question)
            if len(self.form.ids(prompt)) <= self.room:
                self.num_partial += 1
                return prompt
        raise UnusableError(
            f"a question about {self.database} takes {len(self.form.ids(prompt))} tokens in "
            f"{self.chosen.name}, however little of the schema is shown, and {self.room} fit",
            remedy="Train with a larger max_length, or with prompt=house, which takes less.",
        )

    @cached_property
    def shared(self) -> list[int]:
        """What all prompts about this database begin with, where the whole of it fits."""
        one, other = (self.form.ids(self.chosen.prompt(self.facts, text)) for text in ("a", "1"))
        return one[: common_length(one, other)]

    @cached_property
    def _schema(self) -> Schema:
        return read_schema(self.database, self.allowed)

    def _smaller(self, question: str, share: float) -> Iterator[SchemaFacts]:
        """Ever fewer tables, those that fit the question best."""
        budget = share * self.count_tokens(schema_text(self._schema))
        while budget >= SMALLEST:
            part = most_relevant(self._schema, question, (), int(budget), self.count_tokens)
            yield part_of(self.facts, part)
            budget *= SHRINK


def allowed_facts(facts: SchemaFacts, schema: Schema) -> SchemaFacts:
    """The facts about what may be read, with a CREATE TABLE that names nothing else.

    A text that somebody wrote stays where it names all columns and keys that may be seen, no
    others, and holds no comment, which may tell anything.
    """
    shown = tuple(
        TableFacts(
            name=table.name,
            columns=tuple(column.name for column in table.columns),
            create=_create(table),
            house=table_line(schema, table),
        )
        for table in schema.tables
    )
    seen = {key for table in schema.tables for key in _keys(table)}
    keys = tuple(key for key in facts.foreign_keys if key.lower() in seen)
    whole = {table.name: table for table in facts.tables if _is_whole(table, facts, keys)}
    return SchemaFacts(
        tuple(
            whole[one.name] if one.name in whole and whole[one.name].columns == one.columns else one
            for one in shown
        ),
        keys,
    )


def _keys(table: Table) -> Iterator[str]:
    """The table's keys as facts write them, in lower case; the other column may be left out."""
    for key in table.foreign_keys:
        for column, other in zip(key.columns, key.referred_columns, strict=False):
            left = f"{table.name}.{column}={key.referred_table}.".lower()
            yield from (f"{left}{other.lower()}", f"{left}none")


def _is_whole(table: TableFacts, facts: SchemaFacts, seen: Sequence[str]) -> bool:
    """Whether all keys of a table may be seen, and its CREATE TABLE holds no comment."""
    keys = [key for key in facts.foreign_keys if key.startswith(f"{table.name}.")]
    return set(keys) <= set(seen) and all(one.kind != "comment" for one in pieces(table.create))


def _create(table: Table) -> str:
    parts = [f"{identifier(each.name)} {each.type}".rstrip() for each in table.columns]
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({_listed(table.primary_key)})")
    parts += [
        f"FOREIGN KEY ({_listed(key.columns)}) REFERENCES {identifier(key.referred_table)}"
        f" ({_listed(key.referred_columns)})"
        for key in table.foreign_keys
    ]
    return f"CREATE TABLE {identifier(table.name)} ({', '.join(parts)})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(identifier, names))


def part_of(facts: SchemaFacts, schema: Schema) -> SchemaFacts:
    """The facts about the tables and columns of `schema`, and the keys between its tables."""
    columns = {
        table.name.lower(): {column.name for column in table.columns} for table in schema.tables
    }
    tables = [
        replace(
            table,
            columns=tuple(name for name in table.columns if name in columns[table.name.lower()]),
        )
        for table in facts.tables
        if table.name.lower() in columns
    ]
    keys = [key for key in facts.foreign_keys if _is_between(key, list(columns))]
    return SchemaFacts(tuple(tables), tuple(keys))


def _is_between(key: str, tables: list[str]) -> bool:
    """Whether both ends of `table.column=table.column` are among these tables, in lower case."""
    text = key.lower()
    return any(
        text.startswith(f"{one}.") and f"={other}." in text for one in tables for other in tables
    )
