from __future__ import annotations

import pytest

from luciola.sql.answer import extract_sql

QUERY = "SELECT name FROM shop WHERE city = 'Lyon'"


@pytest.mark.parametrize(
    "answer",
    [
        QUERY,
        f"  {QUERY} ;  ",
        f"```sql\n{QUERY};\n```\nThis query lists the shops.",
        f"```\n{QUERY}\n```",
        f"Sure! Here's the query:\n\n```sqlite\n{QUERY}",
        f"SQL: {QUERY}",
        f"The SQL query is: {QUERY}; it finds what you've asked for.",
        f"SQLQuery:\n{QUERY}\nSQLResult: 3",
        f"{QUERY}\n\nExplanation: we filter by city; that's all.",
        f"{QUERY}\nThis query selects names.",
        f"{QUERY}\n\nRows with another city don't count.",
        f"{QUERY}; SELECT 2; DROP TABLE shop",
        f"-- shops in Lyon\n/* all of them */ {QUERY}",
        f"You can use {QUERY}",
        f"First think.\n```python\nprint(1)\n```\n```sql\n{QUERY}\n```",
        f"`{QUERY}`",
        f"Use `{QUERY}` to find them.",
    ],
)
def test_the_query_is_found_in(answer: str) -> None:
    assert extract_sql(answer) == QUERY


def test_semicolons_fences_and_dashes_inside_strings_belong_to_the_query() -> None:
    query = "SELECT 'a;b', '--c', \"x;y\" FROM t WHERE a LIKE '%;%'"
    assert extract_sql(query + "; SELECT 2") == query


def test_comments_are_dropped_and_what_they_separate_stays_apart() -> None:
    assert extract_sql("SELECT a/* b */FROM t -- c; d") == "SELECT a FROM t"


def test_blank_lines_inside_a_query_do_not_end_it() -> None:
    query = "WITH a AS (SELECT 1)\n\nSELECT *\n\nFROM a\n\nWHERE 1"
    assert extract_sql(query) == query


def test_a_column_named_like_prose_does_not_end_the_query() -> None:
    query = "SELECT a,\nthis, that.b,\nnote\nFROM t"
    assert extract_sql(query) == query


def test_a_statement_that_writes_is_handed_on_to_be_refused() -> None:
    assert extract_sql("```sql\nDROP TABLE shop;\n```") == "DROP TABLE shop"


def test_nothing_is_invented_where_there_is_no_sql() -> None:
    assert extract_sql(" I cannot answer that. ") == "I cannot answer that."
    assert extract_sql("") == ""
    assert extract_sql("SELECT nothing FROM ('unclosed") == "SELECT nothing FROM ('unclosed"
