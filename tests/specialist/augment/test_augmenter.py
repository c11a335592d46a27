"""Variants of one example: other names, and still the same question, schema and answer."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import fields

import pytest

from luciola.specialist.augment.augmenter import Pool, augment, plain
from luciola.specialist.augment.example import Prepared
from luciola.specialist.augment.render import Rendered
from luciola.specialist.augment.settings import AugmentSettings

NOTHING = AugmentSettings(
    **{field.name: 0.0 for field in fields(AugmentSettings) if field.name != "most_columns"}
)
TABLE = re.compile(r"^ (?P<table>\S+) \((?P<columns>.*) \)$")


def tables_of(rendered: Rendered) -> dict[str, list[str]]:
    """The schema as the prompt shows it: columns by table."""
    found = {}
    for line in rendered.system.splitlines():
        if match := TABLE.match(line):
            cells = (cell.strip().removesuffix(" key") for cell in match["columns"].split(","))
            found[match["table"]] = [cell.split(".", 1)[1] for cell in cells]
    return found


def runs(rendered: Rendered) -> bool:
    """Whether the answer is a query over the schema that its own prompt shows."""
    connection = sqlite3.connect(":memory:")
    for table, columns in tables_of(rendered).items():
        connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
    try:
        connection.execute(rendered.assistant)
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return True


def test_a_plain_example_is_the_copying_prompt(joined: Prepared) -> None:
    rendered = plain(joined)
    asked = "What are the wages of employees older than 40 in the city Lyon?\n shop.city = 'Lyon'"
    assert rendered.user == asked
    assert rendered.system == (
        f"{asked}\n\n"
        " shop ( shop.shop_id key, shop.city, shop.owner )\n"
        " employee ( employee.employee_id key, employee.wage, employee.age, employee.shop_id )\n"
        " holiday ( holiday.holiday_id key, holiday.season )\n"
        " employee.shop_id = shop.shop_id"
    )
    assert rendered.assistant == (
        "SELECT employee.wage FROM employee JOIN shop ON employee.shop_id = shop.shop_id "
        "WHERE shop.city = 'Lyon' AND employee.age > 40"
    )


def test_the_same_seed_gives_the_same_variant_and_another_seed_another(
    joined: Prepared, pool: Pool
) -> None:
    first = [augment(joined, seed, pool) for seed in range(20)]
    assert first == [augment(joined, seed, pool) for seed in range(20)]
    assert len({one.system for one in first}) == 20


def test_every_variant_runs_on_the_schema_that_it_shows(joined: Prepared, pool: Pool) -> None:
    variants = [augment(joined, seed, pool) for seed in range(400)]
    assert all(runs(one) for one in variants)
    assert len({one.assistant for one in variants}) > 200


def test_without_any_change_a_variant_is_the_example(joined: Prepared, pool: Pool) -> None:
    assert augment(joined, 7, pool, NOTHING) == plain(joined)


def test_the_mentioned_value_stays_with_its_column(joined: Prepared, pool: Pool) -> None:
    for seed in range(200):
        rendered = augment(joined, seed, pool)
        condition = re.search(r"WHERE (\S+ = '[^']+')", rendered.assistant)
        assert condition is not None
        assert f"\n {condition[1]}" in rendered.user


@pytest.mark.parametrize(
    ("setting", "tables"), [("drop_tables", {2, 3}), ("add_tables", {3, 4, 5})]
)
def test_tables_come_and_go_and_the_answers_own_ones_stay(
    joined: Prepared, pool: Pool, setting: str, tables: set[int]
) -> None:
    settings = AugmentSettings(**{**vars(NOTHING), setting: 1.0})
    shown = [tables_of(augment(joined, seed, pool, settings)) for seed in range(80)]
    assert {len(one) for one in shown} == tables
    assert all({"shop", "employee"} <= one.keys() for one in shown)


def test_a_wide_schema_is_cut_down_to_what_the_answer_needs(joined: Prepared, pool: Pool) -> None:
    settings = AugmentSettings(**{**vars(NOTHING), "most_columns": 7})
    assert tables_of(augment(joined, 0, pool, settings)).keys() == {"shop", "employee"}
