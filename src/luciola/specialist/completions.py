"""Pairs as prompts in a representation of DAIL-SQL and the rest of their queries, as tokens.

An example that would be cut is left out with a notice: half a query teaches a model to stop early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luciola.config.sql import SqlConfig
from luciola.conversation.render import Renderer
from luciola.data.statistics import statistics
from luciola.errors import DataError
from luciola.methods.examples import Examples, Order, saves_work
from luciola.methods.stream import Rendered
from luciola.specialist.asking import token_counter
from luciola.specialist.evaluating import Databases
from luciola.specialist.expertise import Expertise
from luciola.specialist.form import Form, UnusableError
from luciola.specialist.pairs import Pair
from luciola.specialist.represented import Represented
from luciola.sql.dail.representation import Representation
from luciola.sql.normalize import normalize
from luciola.sql.schema import Schema, read_schema
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_ANSWER = 160
"""Tokens of max_length left for the SQL: as many as are written when a model is asked."""
NAMED = 3
"""Reasons shown of what was left out."""


def prompt_room(max_length: int) -> int:
    """Tokens that a prompt may have while training; of a short max_length three quarters."""
    return max_length - min(LONGEST_ANSWER, max_length // 4)


def make_completions(
    config: SqlConfig,
    pairs: Sequence[Pair],
    expertise: Expertise,
    tokenizer: PreTrainedTokenizerBase,
    *,
    chosen: Representation,
) -> Examples:
    """The pairs as examples to train on, in the representation `chosen` that the expertise has.

    Raises: DataError where a database is not there, or no pair can be used.
    """
    lesson = Lesson(config, expertise, chosen, tokenizer)
    usable = list(lesson.tokens(pairs))
    if not usable:
        raise DataError(
            f"no pair can be put in prompt={config.prompt}; the first: {lesson.left_out[0]}",
            path=config.pairs,
            remedy="Queries begin with SELECT, and prompt and answer fit into "
            f"max_length={config.max_length}; a schema that is too long fits with prompt=house.",
        )
    if len(lesson.left_out) > config.max_cut * len(pairs):
        raise DataError(
            f"{len(lesson.left_out):,} of {len(pairs):,} pairs cannot be put in "
            f"prompt={config.prompt}, and max_cut is {config.max_cut:g}: {lesson.reasons}",
            path=config.pairs,
            remedy="Raise max_length, take prompt=house, or accept the loss with max_cut=1.",
        )
    notes = [f"{config.pairs}: {len(pairs):,} pairs of question and SQL in {expertise.prompt}"]
    if lesson.num_partial:
        room = f"{prompt_room(config.max_length):,} tokens"
        notes.append(f"{lesson.num_partial:,} of them with a part of their schema, to fit {room}")
    if lesson.left_out:
        share = f"{len(lesson.left_out) / len(pairs):.0%}"
        notes.append(f"{len(lesson.left_out):,} of them left out ({share}): {lesson.reasons}")
    return Examples(
        source=Rendered(usable),
        order=Order((len(usable),), (1.0,), config.seed),
        held_out=(),
        statistics=statistics(usable, config.max_length),
        notes=tuple(notes),
        shared_prefixes=saves_work(usable),
    )


class Lesson:
    """The databases of a recipe's pairs, each read once, and why pairs were left out."""

    def __init__(
        self,
        config: SqlConfig,
        expertise: Expertise,
        chosen: Representation,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.config = config
        self.chosen = chosen
        self.databases = Databases(config.database)
        self.form = Form(expertise, Renderer(tokenizer))
        self.allowed = expertise.allowed
        self.count_tokens = token_counter(tokenizer)
        self.left_out: list[str] = []
        self._read: dict[str, Represented] = {}
        self._schemas: dict[str, Schema] = {}

    @property
    def num_partial(self) -> int:
        """Pairs whose prompt shows a part of the schema."""
        return sum(read.num_partial for read in self._read.values())

    @property
    def reasons(self) -> str:
        """The first reasons, as one line."""
        more = ", …" if len(self.left_out) > NAMED else ""
        return "; ".join(self.left_out[:NAMED]) + more

    def tokens(self, pairs: Sequence[Pair]) -> Iterator[Tokens]:
        """The pairs that can be used, in order."""
        for pair in pairs:
            try:
                yield self._example(pair)
            except UnusableError as error:
                self.left_out.append(error.message)

    def _example(self, pair: Pair) -> Tokens:
        read = self._database(self.databases.of(pair))
        tokens = self.form.renderer.render(
            read.example(pair.question, self._query(pair), pair.origin)
        )
        if len(tokens) > self.config.max_length:
            raise UnusableError(
                f"has {len(tokens):,} tokens, and max_length is {self.config.max_length:,}",
                path=pair.origin.path,
                line=pair.origin.line,
            )
        return replace(tokens, prefix=_common(tokens, read.shared))

    def _database(self, place: str) -> Represented:
        if place not in self._read:
            self._read[place] = Represented.of(
                place,
                self.chosen,
                self.form,
                room=prompt_room(self.config.max_length),
                count_tokens=self.count_tokens,
                allowed=self.allowed,
            )
        return self._read[place]

    def _query(self, pair: Pair) -> str:
        if not self.config.normalizes:
            return pair.query
        place = self.databases.of(pair)
        if place not in self._schemas:
            self._schemas[place] = read_schema(place, self.allowed)
        return normalize(pair.query, self._schemas[place])


def _common(tokens: Tokens, shared: Sequence[int]) -> int:
    """Leading tokens that this example has in common with the others about its database."""
    size = len(shared)
    return size if tokens.ids[:size].tolist() == list(shared) else 0
