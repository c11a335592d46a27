"""Zero-shot prompts equal the published ones; combinations that do not exist are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, DatabaseError
from luciola.sql.dail.facts import SchemaFacts, TableFacts, read_facts
from luciola.sql.dail.representation import FAMILIES, ORIGINAL_NAMES, STEPS, representation
from luciola.sql.prompt import schema_text
from luciola.sql.schema import read_schema

SHOP = SchemaFacts(
    (
        TableFacts("shop", ("id", "city"), "CREATE TABLE shop (id, city)"),
        TableFacts("sale", ("shop_id",), "CREATE TABLE sale (\n\tshop_id REFERENCES shop )"),
    ),
    ("sale.shop_id=shop.None",),
)


@pytest.mark.parametrize("name", ORIGINAL_NAMES)
def test_recorded_prompts_are_equal_to_the_byte(
    name: str, golden: Callable[[str], Any], recorded_databases: Path
) -> None:
    chosen = representation(name)
    questions = golden("questions")
    recorded = golden(f"zero_shot_{name}")["prompts"]
    assert len(questions) == len(recorded) >= 3
    for row, expected in zip(questions, recorded, strict=True):
        path = recorded_databases / row["db_id"] / f"{row['db_id']}.sqlite"
        assert chosen.prompt(read_facts(path), row["question"]) == expected


def test_facts_equal_those_recorded(golden: Callable[[str], Any], recorded_databases: Path) -> None:
    for db_id, recorded in golden("schema_facts").items():
        facts = read_facts(recorded_databases / db_id / f"{db_id}.sqlite")
        keys = [key for table in recorded["tables"] for key in table["foreign_key"]]
        assert [table.name for table in facts.tables] == [t["name"] for t in recorded["tables"]]
        assert [list(t.columns) for t in facts.tables] == [t["columns"] for t in recorded["tables"]]
        assert [f"({key.replace('=', ', ')})" for key in facts.foreign_keys] == keys
        schema = read_schema(recorded_databases / db_id / f"{db_id}.sqlite")
        primary = {table.name: table.primary_key for table in schema.tables}
        for table in recorded["tables"]:
            if table["name"] == "sqlite_sequence":  # SQLite's own, which prompts alone show
                continue
            # Of a key of several columns the published code shows the first alone.
            assert list(primary[table["name"]])[:1] == table["primary_key"]


def test_tables_are_shown_as_they_were_created(
    golden: Callable[[str], Any], recorded_databases: Path
) -> None:
    for db_id, recorded in golden("ddl").items():
        facts = read_facts(recorded_databases / db_id / f"{db_id}.sqlite")
        assert "\n\n".join(table.create for table in facts.tables) == recorded


def test_the_basic_prompt_without_and_with_foreign_keys() -> None:
    plain = "Table shop, columns = [id, city]\nTable sale, columns = [shop_id]\n"
    ending = 'Q: "How many?"\nA: SELECT '
    keys = "Foreign_keys=[sale.shop_id=shop.None]\n"
    assert representation("BS_P").prompt(SHOP, "How many?") == plain + ending
    with_keys = representation("BS_P", foreign_keys=True)
    assert with_keys.prompt(SHOP, "How many?") == plain + keys + ending


def test_the_code_prompt_shows_the_tables_as_they_were_created() -> None:
    assert representation("CR_P", rule=True).prompt(SHOP, "How many?") == (
        "/* Given the following database schema: */\nCREATE TABLE shop (id, city)\n\n"
        "CREATE TABLE sale (\n\tshop_id REFERENCES shop )\n\n"
        "/* Answer the following with no explanation: How many? */\nSELECT "
    )


def test_braces_and_blanks_of_names_and_questions_stay_as_they_are() -> None:
    odd = SchemaFacts((TableFacts("{tables}", ("a b", "{0}"), "CREATE"),))
    text = representation("TR_P").prompt(odd, " What is {question}? ")
    assert "{tables}: a b, {0}\n" in text
    assert text.endswith("Answer the following:  What is {question}? \nSELECT ")


def test_the_papers_names_mean_its_first_figure() -> None:
    assert representation("OD_P") == representation("NUMBERSIGN")
    assert representation("CR_P") == representation("SQL")
    assert representation("as_p") == representation("INSTRUCTION")
    assert representation("BS_P") == representation("BASELINEWOFK")


def test_prompts_that_think_first_end_without_select() -> None:
    for name, family in FAMILIES.items():
        if STEPS in family.wordings:
            text = representation(name, step_by_step=True).prompt(SHOP, "How many?")
            assert "Let's think step by step. " in text
            assert not text.endswith("SELECT ")


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("CR_P", {"foreign_keys": False}, "CREATE TABLE texts"),
        ("BS_P", {"rule": True}, "no wording 'rule'"),
        ("CBR", {"step_by_step": True}, "no wording"),
        ("XX_P", {}, "no representation 'XX_P'"),
    ],
)
def test_what_does_not_exist_is_refused(name: str, settings: dict[str, bool], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        representation(name, **settings)


def test_the_house_prompt_shows_the_schema_as_the_specialist_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('CREATE TABLE owner (id INTEGER PRIMARY KEY, "full name" TEXT)')
        connection.execute(
            "CREATE TABLE shop (a, b REFERENCES owner, c REFERENCES gone (x), d, "
            "PRIMARY KEY (b, a), FOREIGN KEY (d, a) REFERENCES shop (b, a), "
            "FOREIGN KEY (a) REFERENCES owner (id))"
        )
        connection.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        connection.execute("CREATE VIRTUAL TABLE note USING fts5 (body)")
        connection.execute("CREATE TABLE price (net, gross AS (net * 1.2), tax AS (1) STORED)")
    expected = f"{schema_text(read_schema(path))}\n\nHow many?\nSELECT "
    assert representation("HOUSE").prompt(read_facts(path), "How many?") == expected
    assert "sqlite_sequence(name, seq)" in representation("OD_P").prompt(read_facts(path), "?")
    assert "b* -> shop.b" not in expected
    assert "d -> shop.b" in expected
    assert "price: net, gross, tax" in expected


def test_a_database_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(DatabaseError, match="no tables"):
        read_facts(tmp_path / "empty.sqlite")
