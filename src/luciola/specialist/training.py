"""Training a specialist: pairs of question and SQL over databases become examples to fine-tune
on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.config.sql import SqlConfig
from luciola.config.write import as_mapping
from luciola.conversation.render import Renderer, truncate
from luciola.data.cutting import check_cut
from luciola.data.order import permutation
from luciola.data.statistics import statistics
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.methods.examples import Examples, Order, check_fit, saves_work
from luciola.methods.job import Result
from luciola.methods.requirements import check_machine
from luciola.methods.sft import train
from luciola.methods.stream import Rendered
from luciola.models.context import within_context
from luciola.models.load import load_tokenizer
from luciola.runs.recipe import run_name
from luciola.specialist.asking import token_counter
from luciola.specialist.augment.augmenter import Pool
from luciola.specialist.augment.example import Blueprint, Prepared
from luciola.specialist.augment.pieces import UnresolvedSqlError
from luciola.specialist.augment.source import blueprint
from luciola.specialist.augment.source import prepared as prepare_example
from luciola.specialist.augment.spoken import read_spoken
from luciola.specialist.augment.stream import Augmented
from luciola.specialist.checked_queries import CheckedQueries
from luciola.specialist.completions import make_completions, prompt_room
from luciola.specialist.evaluating import Databases, allowed_for
from luciola.specialist.expertise import Expertise, check_representation, columns_of
from luciola.specialist.pair_checks import CheckedPairs, check_pairs, check_share
from luciola.specialist.pairs import Pair, read_pairs
from luciola.specialist.reading import Reading
from luciola.sql.database.address import display_name
from luciola.sql.database.allowed import Allowed
from luciola.sql.normalize import normalize
from luciola.sql.schema import read_schema
from luciola.sql.values import ValueIndex
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

ANSWER_ROOM = 256
"""Tokens of max_length left for the question, the SQL and the template."""


@dataclass(frozen=True)
class Lessons:
    """The pairs of a recipe, split.

    Args:
        training: trained on.
        held_out: for the evaluation loss; empty: none.
    """

    training: Sequence[Pair]
    held_out: Sequence[Pair]


def read_lessons(config: SqlConfig) -> Lessons:
    """The recipe's pairs.

    Raises: DataError naming file and line of what cannot be used.
    """
    pairs = read_pairs(config.pairs)
    if config.eval_pairs:
        return Lessons(pairs, read_pairs(config.eval_pairs))
    aside = round(config.eval_fraction * len(pairs))
    order = [pairs[i] for i in permutation(len(pairs), config.seed, "split")]
    return Lessons(order[aside:], order[:aside])


def checked_lessons(
    config: SqlConfig, lessons: Lessons, *, show: bool = False
) -> tuple[Lessons, list[str]]:
    """The pairs whose SQL runs, and what there is to say about the others.

    Pairs held out of one file count together with the rest of it: a share of a few says nothing.

    Raises: DataError where more than `max_failing_pairs` of a file's pairs cannot run, or where
        none is left to train on.
    """
    if not config.check_pairs:
        return lessons, []
    databases = Databases(config.database)
    allowed = allowed_for(databases, Allowed.of(config.allow_tables, config.allow_columns))
    known = CheckedQueries.of(databases.place, allowed)
    several = bool(config.eval_pairs)
    whole = [*lessons.training, *lessons.held_out]
    files = (lessons.training, lessons.held_out) if several else (whole,)
    found: list[CheckedPairs] = []
    notes: list[str] = []
    for pairs in files:
        checked = check_pairs(
            pairs,
            databases,
            timeout_s=config.pair_timeout,
            known=known,
            show=show,
            allowed=allowed,
        )
        check_share(checked, databases, config.max_failing_pairs, setting="max_failing_pairs")
        found.append(checked)
        left_out = f"{checked.num_failing:,} of {counted(len(pairs), 'pair')} left out"
        notes += [f"{left_out}, because their SQL does not run:"] if checked.num_failing else []
        notes += [f"  {line}" for line in checked.lines()]
    if several:
        return Lessons(found[0].usable, found[1].usable), notes
    return Lessons(*found[0].parted(len(lessons.training))), notes


def train_specialist(
    config: SqlConfig, *, dry_run: bool = False, fresh: bool = False, show: bool = True
) -> Result:
    """Fine-tune a model on the recipe's pairs; the model's folder remembers how it was asked.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    check_representation(config)
    check_machine(config)
    tokenizer = load_tokenizer(config.model, trust_remote_code=config.trust_remote_code)
    config = within_context(config)
    lessons, notes = checked_lessons(config, read_lessons(config), show=show)
    expertise = Expertise.of(
        config,
        database="" if Databases(config.database).is_folder else config.database,
        room=prompt_room(config.max_length),
    )
    make = maker(expertise)
    examples = make(config, lessons.training, expertise, tokenizer)
    if lessons.held_out:
        unvaried = replace(config, augment=False)
        held_out = make(unvaried, lessons.held_out, expertise, tokenizer).source
        tokens = [held_out.tokens(index, 0) for index in range(len(held_out))]
        examples = replace(examples, held_out=tokens)
    examples = replace(examples, notes=(*examples.notes, *notes))
    shown = replace(config, database=display_name(config.database))  # no password in a run's files
    name = run_name("sql", config.model, shown.database, as_mapping(shown))
    workers = min(4, max(0, (os.cpu_count() or 1) - 2)) if config.augment else 0
    result = train(
        shown, examples, tokenizer, name,
        dry_run=dry_run, fresh=fresh, show=show, workers=workers,
    )  # fmt: skip
    if result.ending in ("finished", "stopped early"):
        learned = _columns(expertise)
        replace(expertise, database=display_name(expertise.database), schema=learned).save(
            result.model
        )
    return result


def _columns(expertise: Expertise) -> dict[str, list[str]] | None:
    """The columns that the model learned, of one database; None where there were many."""
    if not expertise.database:
        return None
    return columns_of(read_schema(expertise.database, expertise.allowed))


Maker = Callable[[SqlConfig, Sequence[Pair], Expertise, "PreTrainedTokenizerBase"], Examples]


def maker(expertise: Expertise) -> Maker:
    """What makes examples in the prompt that is taught."""
    if expertise.prompt == "copying":
        return make_copying_examples
    chosen = expertise.representation
    return make_examples if chosen is None else partial(make_completions, chosen=chosen)


def make_examples(
    config: SqlConfig,
    pairs: Sequence[Pair],
    expertise: Expertise,
    tokenizer: PreTrainedTokenizerBase,
) -> Examples:
    """The pairs as tokens."""
    rendered = render_pairs(config, pairs, expertise, tokenizer)
    figures = statistics(rendered, config.max_length)
    usable = [truncate(sample, config.max_length)[0] for sample in rendered]
    usable = [sample for sample in usable if sample.trained.any()]
    if not usable:
        raise DataError(
            f"no pair fits into max_length={config.max_length}",
            path=config.pairs,
            remedy=f"The shortest has {figures.shortest} tokens; raise max_length.",
        )
    check_fit(figures, config.max_cut, config.pairs)
    return Examples(
        source=Rendered(usable),
        order=Order((len(usable),), (1.0,), config.seed),
        held_out=(),
        statistics=figures,
        notes=(f"{config.pairs}: {len(pairs):,} pairs of question and SQL",),
        shared_prefixes=saves_work(usable),
    )


def make_copying_examples(
    config: SqlConfig,
    pairs: Sequence[Pair],
    expertise: Expertise,
    tokenizer: PreTrainedTokenizerBase,
) -> Examples:
    """The pairs in the copying prompt, varied in every epoch where the recipe wants it.

    Pairs whose SQL does not fit their schema are left out, with a notice.
    """
    shapes = Shapes(config, expertise)
    prepared: list[Prepared] = []
    kept: list[Pair] = []
    for pair in pairs:
        try:
            prepared.append(shapes.example(pair))
            kept.append(pair)
        except UnresolvedSqlError as error:
            log.info("%s is left out: %s", pair.origin, error.message)
    source = Augmented(
        examples=prepared,
        origins=[pair.origin for pair in kept],
        pool=Pool.of(shapes.blueprints.values()),
        renderer=Renderer(tokenizer),
        max_length=config.max_length,
        run_seed=config.seed,
        varied=config.augment,
    )
    if not kept:
        raise DataError("no pair's SQL fits its database", path=config.pairs)
    looked = [source.tokens(index, 0) for index in range(min(len(source), 500))]
    figures = statistics(looked, config.max_length)
    check_cut(
        figures.untrained,
        len(looked),
        config.max_cut,
        what="pair",
        limit=config.max_length,
        needed=max(source.plain_length(index) for index in range(len(looked))),
        left_out=True,
        path=config.pairs,
    )
    left_out = len(pairs) - len(kept)
    notes = [f"{config.pairs}: {len(pairs):,} pairs of question and SQL, {left_out} left out"]
    if len(source) > len(looked):
        notes.append(f"token figures are of the first {len(looked)} of {len(source):,} pairs")
    return Examples(
        source=source,
        order=Order((len(source),), (1.0,), config.seed),
        held_out=(),
        statistics=figures,
        notes=tuple(notes),
        shared_prefixes=False,
    )


class Shapes:
    """The databases of a recipe's pairs as augmentation reads them, each read once."""

    def __init__(self, config: SqlConfig, expertise: Expertise) -> None:
        self.databases = Databases(config.database)
        self.spoken = read_spoken(config.spoken)
        self.mentions = expertise.mentions
        self.allowed = expertise.allowed
        self.blueprints: dict[str, Blueprint] = {}
        self._values: dict[str, ValueIndex] = {}

    def example(self, pair: Pair) -> Prepared:
        """A pair, prepared.

        Raises: UnresolvedSqlError where its SQL does not fit the schema.
        """
        place = self.databases.of(pair)
        if place not in self.blueprints:
            self._read(place, pair.database)
        mentions = self._values[place].mentioned(pair.question) if self.mentions else ()
        return prepare_example(self.blueprints[place], pair.question, pair.query, mentions)

    def _read(self, place: str, name: str) -> None:
        schema = read_schema(place, self.allowed)
        values = ValueIndex.read(place, schema)
        known = {mention for found in values.places.values() for mention in found}
        ordered = sorted(known, key=lambda one: (one.table, one.column, one.value))
        self.blueprints[place] = blueprint(name, schema, ordered, self.spoken.get(name))
        self._values[place] = values


def render_pairs(
    config: SqlConfig,
    pairs: Sequence[Pair],
    expertise: Expertise,
    tokenizer: PreTrainedTokenizerBase,
) -> list[Tokens]:
    """Each pair as the conversation that the model is asked in later, with its SQL."""
    renderer = Renderer(tokenizer)
    databases = Databases(config.database)
    counter = token_counter(tokenizer)
    budget = max(config.max_length - ANSWER_ROOM, 64)
    readings: dict[str, Reading] = {}
    rendered = []
    for pair in pairs:
        place = databases.of(pair)
        if place not in readings:
            readings[place] = Reading.of(
                Path(place) if "://" not in place else place,
                expertise,
                budget=budget,
                count_tokens=counter,
                allowed=expertise.allowed,
            )
        reading = readings[place]
        sql = normalize(pair.query, reading.schema) if config.normalizes else pair.query
        rendered.append(renderer.render(reading.conversation(pair.question, sql, pair.origin)))
    return rendered
