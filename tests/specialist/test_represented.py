"""A database in a representation: the published prompt where it fits, fewer tables where not."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from luciola.conversation.render import Renderer
from luciola.specialist.asking import token_counter
from luciola.specialist.expertise import Expertise
from luciola.specialist.form import Form, UnusableError
from luciola.specialist.represented import Represented, part_of
from luciola.sql.dail.facts import read_facts
from luciola.sql.dail.representation import representation
from luciola.sql.schema import Column, Schema, Table
from luciola.types import Origin

QUESTION = "How many cities?"
NAMES = ["BS_P", "TR_P", "OD_P", "CR_P", "AS_P", "CBR", "HOUSE"]
CITY = Table("city", (Column("id"), Column("name")), ())
KEYS_OF_SHOP = Table("shop", (Column("id"), Column("city_id")), ())


class Reads:
    """Reads the shop in a representation."""

    def __init__(self, shop: Path, renderer: Renderer) -> None:
        self.shop, self.renderer = shop, renderer
        self.count = token_counter(renderer.tokenizer)

    def __call__(self, name: str, *, room: int = 10_000, taught: int = 0) -> Represented:
        form = Form(Expertise(prompt=name, room=taught), self.renderer)
        chosen = representation(name)
        return Represented.of(self.shop, chosen, form, room=room, count_tokens=self.count)

    def size(self, name: str) -> int:
        return len(self(name).prompt_ids(QUESTION))


@pytest.fixture
def read(shop: Path, renderer: Renderer) -> Reads:
    return Reads(shop, renderer)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_that_just_fits_is_the_published_one(read: Reads, name: str) -> None:
    reading = read(name, room=read.size(name))
    assert reading.prompt(QUESTION) == representation(name).prompt(read_facts(read.shop), QUESTION)
    assert len(reading.prompt_ids(QUESTION)) == reading.room


@pytest.mark.parametrize("name", NAMES)
def test_one_token_less_leaves_out_what_fits_the_question_worst(read: Reads, name: str) -> None:
    """The table that is asked about and the question stay to the letter, whatever goes."""
    reading = read(name, room=read.size(name) - 1)
    prompt = reading.prompt(QUESTION)
    assert len(reading.prompt_ids(QUESTION)) <= reading.room
    less = part_of(reading.facts, Schema("sqlite", (CITY,)))
    fewer = part_of(reading.facts, Schema("sqlite", (CITY, KEYS_OF_SHOP)))
    chosen = representation(name)
    assert prompt in (chosen.prompt(less, QUESTION), chosen.prompt(fewer, QUESTION))


def test_create_table_texts_stay_whole(read: Reads) -> None:
    prompt = read("CR_P", room=read.size("CR_P") - 1).prompt(QUESTION)
    assert "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT)" in prompt
    assert "CREATE TABLE shop" not in prompt


def test_columns_and_keys_that_are_left_out_are_gone(read: Reads) -> None:
    facts = read("TR_P").facts
    assert facts.foreign_keys == ("shop.city_id=city.None",)
    both = Schema("sqlite", (CITY, KEYS_OF_SHOP))
    assert part_of(facts, both).foreign_keys == facts.foreign_keys
    assert [table.columns for table in part_of(facts, both).tables] == [
        ("id", "name"),
        ("id", "city_id"),
    ]
    assert part_of(facts, Schema("sqlite", (CITY,))).foreign_keys == ()
    assert part_of(facts, Schema("sqlite", (KEYS_OF_SHOP,))).foreign_keys == ()


def test_what_is_pruned_in_training_is_pruned_when_asked(read: Reads) -> None:
    """The room of the lessons holds, however large the model's context is."""
    taught = read.size("CR_P") - 1
    lesson = read("CR_P", room=taught).example(QUESTION, "SELECT 1", Origin())
    asked = read("CR_P", taught=taught)
    tokens = read.renderer.render(lesson)
    assert tokens.ids[~tokens.trained].tolist() == asked.prompt_ids(QUESTION)
    assert "shop" not in asked.prompt(QUESTION)


def test_a_schema_that_never_fits_is_announced_and_a_question_that_cannot_is_refused(
    read: Reads, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="luciola"):
        reading = read("CR_P", room=60)
    assert "in CR_P has" in caplog.text
    assert "and 60 fit" in caplog.text
    with pytest.raises(UnusableError, match=r"a question about .*shop\.db takes \d+ tokens in CR"):
        reading.prompt(QUESTION)


def test_prompts_about_one_database_begin_with_the_schema(read: Reads) -> None:
    """So that a step computes it once; in AS_P the question stands before it."""
    decode = read.renderer.tokenizer.decode
    prompt = representation("CR_P").prompt(read_facts(read.shop), "")
    assert decode(read("CR_P").shared) == prompt.removesuffix(" */\nSELECT ")
    assert decode(read("AS_P").shared).endswith('answer the question "')
