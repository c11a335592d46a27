"""What a reply's line of SQL is: the original's reading to the byte, and the better default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from luciola.sql.dail.reply import continuation, original_line, sql_line


def test_recorded_lines_of_the_original(golden: Callable[[str], Any]) -> None:
    for record in golden("postprocess_n1"):
        assert original_line(record["raw"]) == record["written_line"]


def test_a_trained_model_goes_on_from_select() -> None:
    assert continuation("SELECT  a ,  b\nFROM c") == "a , b FROM c"


def test_thoughts_are_in_neither_reading() -> None:
    assert original_line("<think>\nSELECT 2?\n</think>\nSELECT 1 /* x") == "SELECT 1 "
    assert original_line("<think>\nSELECT 2?") == "SELECT "


def test_the_originals_defects_are_kept_in_its_reading() -> None:
    assert original_line("select 1") == "SELECT select 1"
    assert original_line("```sql\nSELECT 1\n```") == "SELECT ```sql SELECT 1 ```"
    assert original_line("a = 'x  y' /* c") == "SELECT a = 'x y' "


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("count(*)\nFROM singer;", "SELECT count(*) FROM singer"),
        ("select 1", "select 1"),
        ("```sql\nSELECT 1\n```", "SELECT 1"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("name FROM s WHERE a = 'x  y'", "SELECT name FROM s WHERE a = 'x  y'"),
        ("count(*) FROM s\n/* Answer the following: Who? */\nSELECT 1", "SELECT count(*) FROM s"),
        ("a FROM b WHERE c IN (SELECT d FROM e)", "SELECT a FROM b WHERE c IN (SELECT d FROM e)"),
        ("Sure! SELECT 1", "SELECT 1"),
        ("Here is the query:\nSELECT 1", "SELECT 1"),
        ("", "SELECT"),
    ],
)
def test_the_first_statement_in_one_line(reply: str, expected: str) -> None:
    assert sql_line(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("`name`, `age\n  FROM singer", "SELECT `name`,"),
        ("```\nname\nFROM singer", "SELECT name FROM singer"),
        ("```sql\nSELECT a\nFROM `b\nWHERE c", "SELECT a FROM"),
        ("name FROM s WHERE a = 'x\r\ny'", "SELECT name FROM s WHERE a = 'x y'"),
        ("name FROM s WHERE a = 'x\u2028y\x85'", "SELECT name FROM s WHERE a = 'x y '"),
        ("I do not\n\nknow.", "I do not know."),
    ],
)
def test_a_reply_of_several_lines_never_becomes_several(reply: str, expected: str) -> None:
    """A second line would be taken for the answer to the next question."""
    assert sql_line(reply) == expected
    assert len(sql_line(reply).splitlines()) == 1
