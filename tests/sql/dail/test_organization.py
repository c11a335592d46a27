"""Few-shot prompts equal the published ones, and token budgets really leave examples out."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.errors import ConfigError
from luciola.sql.dail.facts import SchemaFacts, TableFacts, read_facts
from luciola.sql.dail.organization import Budget, Example, few_shot, organization
from luciola.sql.dail.representation import representation
from reference_values import Source

EXAMPLES = [
    Example("shop", "How many?", "SELECT count(*)  FROM shop"),
    Example("shop", "Which city has the most shops of them all?", "SELECT city FROM shop"),
    Example("shop", "Who?", "SELECT 1"),
]


def facts(_: str) -> SchemaFacts:
    return SchemaFacts((TableFacts("shop", ("id", "city"), "CREATE TABLE shop (id, city)"),))


def prompt_of(way: str, shots: int, budget: Budget | None = None) -> str:
    chosen, style = representation("TR_P"), organization(way)
    found = few_shot(chosen, style, "Where?", facts, "shop", EXAMPLES, shots=shots, budget=budget)
    return found.text


def test_recorded_prompts_are_equal_to_the_byte(source: Source, recorded_databases: Path) -> None:
    def read(db_id: str) -> SchemaFacts:
        return read_facts(recorded_databases / db_id / f"{db_id}.sqlite")

    files = sorted(path.stem for path in (source.folder / "dail").glob("few_shot_*.json"))
    assert len(files) == 7
    for file in files:
        record = source(f"dail/{file}")
        way, chosen = organization(record["example_type"]), representation(record["repr"])
        for item in record["items"]:
            examples = [Example(**example) for example in item["examples"]]
            made = few_shot(
                chosen, way, item["question"], read, item["db_id"], examples, shots=record["k"]
            )
            assert made.text == item["prompt"], file
            assert len(made.examples) == item["n_examples"]


def test_without_examples_there_is_no_prefix() -> None:
    assert prompt_of("DAIL_O", 0) == representation("TR_P").prompt(facts("shop"), "Where?")


def test_every_organization_by_hand() -> None:
    similar = "/* Some SQL examples are provided based on similar problems: */\n"
    query = "SELECT count(*)  FROM shop\n\n"
    schema = "Given the following database schema:\nshop: id, city\n"
    expected = {
        "FI_O": f"{schema}Answer the following: How many?\n{query}",
        "SO_O": f"{similar}{query}",
        "DAIL_O": f"{similar}/* Answer the following: How many? */\n{query}",
        "QAWRULE": f"{similar}/* Answer the following with no explanation: How many? */\n{query}",
        "NUMBERSIGNQA": "### Some example pairs of question and corresponding SQL query are "
        f"provided based on similar problems:\n\n### How many?\n{query}",
        "BASELINEQA": f"Example Q: How many?\nExample A: {query}",
    }
    target = f"{schema}Answer the following: Where?\nSELECT "
    assert {way: prompt_of(way, 1) for way in expected} == {
        way: text + target for way, text in expected.items()
    }


def test_an_example_that_does_not_fit_is_passed_over_for_the_next() -> None:
    """Characters count as tokens: room for the first and the third example, to the character."""
    whole = prompt_of("DAIL_O", 3)
    middle = f"/* Answer the following: {EXAMPLES[1].question} */\n{EXAMPLES[1].query}\n\n"
    expected = whole.replace(middle, "")
    room = Budget(len, context=len(expected) + 7, answer=7)
    assert prompt_of("DAIL_O", 3, room) == expected
    tight = Budget(len, context=len(expected) + 6, answer=7)
    assert "Who?" not in prompt_of("DAIL_O", 3, tight)


def test_the_question_is_shown_even_beyond_the_budget() -> None:
    assert prompt_of("DAIL_O", 3, Budget(len, context=1, answer=0)) == prompt_of("DAIL_O", 0)


def test_an_unknown_organization_is_refused() -> None:
    with pytest.raises(ConfigError, match="no organization 'ALL'"):
        organization("ALL")
