from __future__ import annotations

import logging
import time

import pytest

from luciola.sql.prompt import schema_text
from luciola.sql.prune import prune
from luciola.sql.relevance import closeness, relevance
from luciola.sql.schema import Column, ForeignKey, Schema, Table
from luciola.sql.values import Mention


def count(text: str) -> int:
    """A token for every four characters."""
    return (len(text) + 3) // 4


def table(name: str, *columns: str, **references: str) -> Table:
    keys = tuple(ForeignKey((column,), other, ("id",)) for column, other in references.items())
    return Table(
        name,
        (Column("id", primary_key=True), *map(Column, (*columns, *references))),
        primary_key=("id",),
        foreign_keys=keys,
    )


CLINIC = Schema(
    "sqlite",
    (
        table("doctor", "name", "speciality"),
        table("patient", "name", "birthday", "street", "city"),
        table("visit", "day", "cost", doctor_id="doctor", patient_id="patient"),
        table("pharmacy", "name", "street"),
        table("parking_lot", "number", "level"),
        table("cafeteria", "menu", "opening_hours"),
    ),
)


def names(schema: Schema) -> list[str]:
    return [found.name for found in schema.tables]


def test_a_schema_that_fits_stays_as_it_is() -> None:
    assert prune(CLINIC, "Which menu?", (), 10_000, count) is CLINIC


@pytest.mark.parametrize("budget", [10, 20, 40, 60, 80])
def test_what_is_kept_fits_into_the_budget_and_names_the_right_table(budget: int) -> None:
    part = prune(CLINIC, "On which levels are parking lots?", (), budget, count)
    assert "parking_lot" in names(part)
    assert count(schema_text(part)) <= budget or [len(t.columns) for t in part.tables] == [1]


def test_tables_that_join_the_relevant_ones_are_kept_in_their_old_order() -> None:
    part = prune(CLINIC, "Names of doctors and the city of their patients", (), 44, count)
    assert names(part)[:3] == ["doctor", "patient", "visit"]
    kept = [column.name for column in part.tables[2].columns]
    assert kept == ["doctor_id", "patient_id"]


def test_a_mentioned_value_brings_its_column() -> None:
    part = prune(CLINIC, "Who is in Lyon?", (Mention("patient", "city", "Lyon"),), 24, count)
    assert names(part) == ["patient"]
    assert part.tables[0].column("city") is not None


def test_of_a_giant_table_keys_and_relevant_columns_stay() -> None:
    giant = table("measurement", *(f"sensor_{n}" for n in range(1000)), station_id="station")
    giant = Table(
        giant.name, (*giant.columns, Column("humidity")), giant.primary_key, giant.foreign_keys
    )
    schema = Schema("sqlite", (giant, table("station", "height")))
    started = time.perf_counter()
    part = prune(schema, "How is the humidity?", (), 60, count)
    assert time.perf_counter() - started < 1.0
    assert names(part) == ["measurement", "station"]
    kept = {column.name for column in part.tables[0].columns}
    assert {"id", "station_id", "humidity"} <= kept and len(kept) < 30
    assert count(schema_text(part)) <= 60


def test_what_is_left_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="luciola.sql.prune"):
        part = prune(CLINIC, "Which menu has the cafeteria?", (), 22, count)
    columns = sum(len(found.columns) for found in part.tables)
    shown = f"{len(part.tables)} of 6 tables and {columns} of 22 columns are shown; left out: "
    assert shown in caplog.text
    assert caplog.text.endswith("parking_lot\n") and "cafeteria" in names(part)


def test_rare_words_count_more_than_those_that_every_table_has() -> None:
    scores = relevance(CLINIC, "street and speciality").tables
    assert scores[0] == max(scores) and scores[0] > scores[1] == scores[3] > 0


def test_words_are_close_by_beginning_or_spelling() -> None:
    assert closeness("student", "student") == 1.0
    assert 0 < closeness("stu", "student") < closeness("enrolment", "enrollment") < 1
    assert closeness("cat", "category") < closeness("category", "categories")
    assert closeness("city", "cost") == 0.0


def test_a_table_that_only_connects_goes_before_those_that_fit_no_better() -> None:
    link = Table("zz", (Column("p"), Column("q")), (), (
        ForeignKey(("p",), "doctor", ("id",)), ForeignKey(("q",), "patient", ("id",)),
    ))  # fmt: skip
    others = (CLINIC.tables[3], CLINIC.tables[4], CLINIC.tables[5])
    schema = Schema("sqlite", (*others, CLINIC.tables[0], CLINIC.tables[1], link))
    part = prune(schema, "doctors of patients", (), 38, count)
    assert names(part) == ["doctor", "patient", "zz"]


def test_the_primary_key_stays_beside_any_number_of_relevant_columns() -> None:
    giant = Table(
        "log", (*(Column(f"sensor_{n}") for n in range(500)), Column("key", primary_key=True))
    )
    part = prune(Schema("sqlite", (giant,)), "Which sensors are there?", (), 40, count)
    assert part.tables[0].column("key") is not None
