"""Words exchanged in schema, question and answer alike."""

from __future__ import annotations

import random

from luciola.specialist.augment.augmenter import Pool
from luciola.specialist.augment.draft import Draft
from luciola.specialist.augment.example import Blueprint, Literal, Prepared
from luciola.specialist.augment.literals import swap_literals
from luciola.specialist.augment.pieces import pieces_of
from luciola.specialist.augment.spelling import misspell, renumber
from luciola.specialist.augment.swap import swap_words


def swapped(example: Prepared, seed: int, pool: Pool, pseudo: float = 0.5) -> Draft:
    draft = Draft.of(example)
    swap_words(draft, random.Random(seed), pool.vocabulary, share=1.0, pseudo=pseudo)
    return draft


def test_a_word_that_the_question_says_changes_in_both(joined: Prepared, pool: Pool) -> None:
    draft = swapped(joined, 1, pool, pseudo=1.0)
    wage = draft.column_at[1, 1].words[0]
    assert wage != "wage"
    assert any(token.startswith(wage) for token in draft.question)
    assert "wages" not in draft.question


def test_a_word_that_is_only_meant_is_never_exchanged(joined: Prepared, pool: Pool) -> None:
    """The question says "older": if `age` became `cage`, nothing would lead to it."""
    for seed in range(30):
        assert swapped(joined, seed, pool).column_at[1, 2].words == ("age",)


def test_two_words_never_become_one(joined: Prepared, pool: Pool) -> None:
    for seed in range(30):
        names = [table.words for table in swapped(joined, seed, pool).tables]
        assert len(set(names)) == 3


def test_a_word_inside_a_literal_stays_in_the_question(shop: Blueprint, pool: Pool) -> None:
    sql = "SELECT city FROM shop WHERE owner = 'Holiday'"
    example = Prepared(shop, "Which city has the owner Holiday?", pieces_of(sql, shop))
    for seed in range(30):
        assert "Holiday" in swapped(example, seed, pool).question


def test_a_string_is_exchanged_for_another_of_its_column(joined: Prepared) -> None:
    draft = Draft.of(joined)
    swap_literals(draft, random.Random(3), share=1.0)
    new = next(p.text for p in draft.pieces if isinstance(p, Literal) and p.string)
    assert new in ("Graz", "Turin", "Lyon")
    assert new in draft.question
    assert draft.mentions == [((0, 1), new)]


def test_a_number_is_exchanged_in_question_and_answer(joined: Prepared) -> None:
    draft = Draft.of(joined)
    swap_literals(draft, random.Random(3), share=1.0)
    number = next(p.text for p in draft.pieces if isinstance(p, Literal) and not p.string)
    assert number != "40"
    assert number in draft.question
    assert "40" not in draft.question


def test_a_number_that_the_question_does_not_state_stays(shop: Blueprint) -> None:
    sql = "SELECT city FROM shop WHERE owner > 40"
    draft = Draft.of(Prepared(shop, "Which cities have many owners?", pieces_of(sql, shop)))
    swap_literals(draft, random.Random(3), share=1.0)
    assert Literal("40", False) in draft.pieces


def test_a_table_is_renumbered_and_the_question_is_not(joined: Prepared) -> None:
    draft = Draft.of(joined)
    renumber(draft, random.Random(0), share=1.0)
    assert [table.words for table in draft.tables] == [("shops",), ("employees",), ("holidays",)]
    assert "".join(draft.question) == joined.question
    assert draft.renamed


def test_a_word_is_misspelt_the_same_way_everywhere(joined: Prepared) -> None:
    draft = Draft.of(joined)
    misspell(draft, random.Random(1), most=9)
    table, key = draft.tables[1], draft.tables[1].columns[0]
    assert table.words != ("employee",)
    assert key.words[0] == table.words[0]
