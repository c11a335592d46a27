from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from luciola.sql.schema import Column, Schema, Table, read_schema
from luciola.sql.values import Mention, ValueIndex


@pytest.fixture(scope="module")
def index(shop: Path, shop_schema: Schema) -> ValueIndex:
    return ValueIndex.read(shop, shop_schema)


def found(index: ValueIndex, question: str) -> list[tuple[str, str, str]]:
    return [(mention.table, mention.column, mention.value) for mention in index.mentioned(question)]


def test_a_value_is_found_whatever_its_case_and_given_as_the_database_spells_it(
    index: ValueIndex,
) -> None:
    assert found(index, "which shops are in LYON?") == [("shop", "city", "Lyon")]


def test_the_longest_match_wins(index: ValueIndex) -> None:
    assert found(index, "Sold any mountain bike?") == [("product", "title", "Mountain Bike")]
    schema = Schema("sqlite", (Table("t", (Column("c"),)),))
    places = [Mention("t", "c", value) for value in ("York", "York Minster", "Minster")]
    assert ValueIndex.build(places, schema).mentioned("in york minster") == (places[1],)


def test_a_plural_matches_its_singular(index: ValueIndex) -> None:
    assert found(index, "How many helmets and bikes?") == [
        ("product", "title", "Helmet"),
        ("product", "title", "Bike"),
    ]


def test_accents_do_not_matter(index: ValueIndex) -> None:
    assert found(index, "Anything in San Jose?") == [("shop", "city", "San José")]


def test_a_match_ends_at_word_boundaries(index: ValueIndex) -> None:
    assert found(index, "Is the Lyonnaise millstone biking?") == []


def test_a_letter_alone_counts_as_a_code_only_where_it_cannot_be_a_word(index: ValueIndex) -> None:
    assert found(index, "A list of employees of grade B") == [("employee", "grade", "B")]
    assert found(index, "a boss of an employee") == []


def test_dates_are_found_as_they_are_written(index: ValueIndex) -> None:
    assert found(index, "What was sold on 2020-02-01?") == [("sale", "day", "2020-02-01")]


def test_names_of_columns_and_stop_words_mention_nothing() -> None:
    schema = Schema("sqlite", (Table("t", (Column("first_name"), Column("kind"))),))
    values = [Mention("t", "kind", value) for value in ("Kind", "All", "12", "OK")]
    index = ValueIndex.build(values, schema)
    assert index.mentioned("is it ok to show all of the 12 kinds?") == ()
    assert index.mentioned('those "kind" and "12", OK') == (values[0], values[2], values[3])


def test_a_phrase_in_several_columns_names_first_the_one_the_question_speaks_of() -> None:
    columns = (Column("city"), Column("home_town"))
    schema = Schema("sqlite", (Table("shop", columns), Table("worker", columns)))
    places = [
        Mention(table, column, "Rome")
        for table in ("shop", "worker")
        for column in ("city", "home_town")
    ]
    index = ValueIndex.build(places, schema)
    assert index.mentioned("Which workers have Rome as home town?")[0] == places[3]
    assert index.mentioned("Rome?", limit=1) == (places[0],)


def test_values_of_a_language_without_blanks_are_found_inside_a_sentence() -> None:
    schema = Schema("sqlite", (Table("t", (Column("c"),)),))
    index = ValueIndex.build([Mention("t", "c", "北京")], schema)
    assert index.mentioned("北京有多少商店?") == (Mention("t", "c", "北京"),)


def test_long_texts_numbers_and_undecodable_bytes_do_no_harm(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "odd.sqlite")
    connection.execute('CREATE TABLE "a b" ("c d" TEXT, n INT)')
    connection.executemany(
        'INSERT INTO "a b" VALUES (?, ?)', [("word " * 100, 1), (None, 2), (b"\xff", 3), (77, 4)]
    )
    connection.execute("INSERT INTO \"a b\" VALUES (CAST(x'4C796FFF6E' AS TEXT), 5)")
    connection.commit()
    connection.close()
    index = ValueIndex.read(tmp_path / "odd.sqlite", read_schema(tmp_path / "odd.sqlite"))
    assert index.mentioned("is it Lyon or word 77?") == (Mention("a b", "c d", "Lyon"),)
