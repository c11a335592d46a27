"""What models really write, and the one line of SQL in it; prompts end in `SELECT `."""

from __future__ import annotations

import pytest

from luciola.sql.answer import extract_sql
from luciola.sql.dail.reply import sql_line

Q = "SELECT name FROM shop WHERE city = 'Lyon'"
REST = Q.removeprefix("SELECT ")
WITH = "WITH a AS (SELECT id FROM shop) SELECT count(*) FROM a"
NEXT = "/* Answer the following: How many shops are there? */\nSELECT count(*) FROM shop"

WHOLE = [
    Q,
    f"{Q};",
    f"\n\n  {Q}  \n",
    f"{Q};\n{Q};",
    f"{Q}\n{NEXT}",
    f"{Q} {NEXT}",
    f"{Q};\n\n{NEXT}",
    f"{Q} /* the shops in Lyon */",
    f"{Q} -- the shops in Lyon",
    f"-- the shops in Lyon\n{Q}",
    f"```sql\n{Q}\n```",
    f"```sql\n{Q};\n```",
    f"```SQL\n{Q}\n```",
    f"```sqlite\n{Q}\n```",
    f"```sqlite3\n{Q}\n```",
    f"```postgresql\n{Q}\n```",
    f"```mysql\n{Q}\n```",
    f"```\n{Q}\n```",
    f"``` sql\n{Q}\n```",
    f"```{Q}```",
    f"```sql {Q} ```",
    f"~~~sql\n{Q}\n~~~",
    f"````sql\n{Q}\n````",
    f"```sql\n{Q}",
    f"{Q}\n```",
    f"{Q};\n```\n\nThis lists the shops.",
    f"Sure! Here is the query:\n```sql\n{Q}\n```\nIt lists the shops.",
    f"```sql\n{Q}\n```\n```sql\nSELECT 2\n```",
    f"First the tables:\n```\nshop(name, city)\n```\nThen the query:\n```sql\n{Q}\n```",
    f"```python\nprint('SELECT 1')\n```\n```sql\n{Q}\n```",
    f"```json\n{{\"sql\": 1}}\n```\n```sql\n{Q}\n```",
    f"`{Q}`",
    f"Use `{Q}` for that.",
    f"**{Q}**",
    f"**SQL:** {Q}",
    f"**Answer:**\n\n{Q}",
    f"### Answer\n{Q}",
    f"> {Q}",
    f"1. {Q}",
    f"- {Q}",
    f"SQL: {Q}",
    f"SQLite: {Q}",
    f"A: {Q}",
    f"Answer: {Q}",
    f"The query is {Q};",
    f"The SQL query is:\n\n{Q}\n\nExplanation: it filters by city.",
    f"{Q}\n\nThis query lists names.",
    f"{Q}\nExplanation: names in one city.",
    f"{Q};\nThis query selects the name.",
    f"{Q}\n\n### Explanation\nIt lists names.",
    f"{Q}\n\n**Explanation:** it lists names.",
    f"{Q}\n\nNote that case matters.",
    f"{Q}\n\nNote: case matters.",
    f"{Q}\n\nQ: How many shops?\nA: SELECT count(*) FROM shop",
    f"{Q}\n\n### How many shops are there?\nSELECT count(*) FROM shop",
    f"{Q}\n### How many shops are there?\nSELECT count(*) FROM shop",
    f"{Q}\n\n# translate \"How many?\" into SQL",
    f"{Q}\n\nExample Q: How many shops?\nExample A: SELECT 1",
    f"{Q}\n\nAnswer the following: How many shops?\nSELECT 1",
    f"{Q}\n\n### Instruction:\nWrite a sql",
    f"{Q}<|im_end|>",
    f"{Q}</s>",
    f"{Q}<|endoftext|>{Q}",
    f"{Q};<|eot_id|>",
    f"<think>\nSELECT 1 is wrong.\n</think>\n\n{Q}",
    f"<think></think>{Q}",
    f"<think>a</think>\n```sql\n{Q}\n```",
    f"The tables... SELECT 3?\n</think>\n{Q}",
    f"<thinking>SELECT 1</thinking>\n{Q}",
    f"<reasoning>\nSELECT 1\n</reasoning>\n{Q}",
    f"<think>a</think><think>SELECT 4</think>{Q}",
    f"<sql>{Q}</sql>",
    f"<answer>\n{Q}\n</answer>",
    f"\\boxed{{{Q}}}",
    f'{{"sql": "{Q}"}}',
    f'```json\n{{"query": "{Q}"}}\n```',
    f"Let's think step by step. The shops have names.\n\n{Q}",
    f"I need the table shop. So the answer is: {Q}",
    f"SELECT {Q}",
    f"SELECT\n{Q}",
]  # fmt: skip

CONTINUED = [
    REST,
    f"{REST};",
    f" {REST}",
    f"\n{REST}\n\n",
    f"{REST}\n\n{NEXT}",
    f"{REST} {NEXT}",
    f"{REST};\n\nThis query lists names.",
    f"{REST}\n\nExplanation: it lists names.",
    f"{REST}\n```",
    f"```sql\n{REST}\n```",
    f"```\n{REST}\n```",
    f"{REST}<|im_end|>",
    f"{REST}</s>",
    f"<think>hm</think>{REST}",
    f"{REST} -- in Lyon",
    f"{REST};\nSELECT 2",
    f"{REST}\n\n### How many?\nSELECT 2",
    f"{REST}\n\nQ: How many?\nA: SELECT 2",
    "name\nFROM shop\nWHERE city = 'Lyon'",
    "name \n  FROM shop \n\n  WHERE city = 'Lyon'",
]

OTHERS = [
    (WITH, WITH),
    (f"```sql\n{WITH};\n```", WITH),
    ("select name from shop", "select name from shop"),
    ("Select Name From shop;", "Select Name From shop"),
    ("count(*) FROM shop", "SELECT count(*) FROM shop"),
    ("DISTINCT name FROM shop", "SELECT DISTINCT name FROM shop"),
    ("* FROM shop", "SELECT * FROM shop"),
    ("'a' , 1", "SELECT 'a' , 1"),
    ("(SELECT max(id) FROM shop) - 1", "(SELECT max(id) FROM shop) - 1"),
    ("CASE WHEN id THEN 1 ELSE 2 END FROM shop", "SELECT CASE WHEN id THEN 1 ELSE 2 END FROM shop"),
    ("name FROM shop WHERE note = 'a;b -- c'", "SELECT name FROM shop WHERE note = 'a;b -- c'"),
    ("name FROM shop WHERE note = '/* a */'", "SELECT name FROM shop WHERE note = '/* a */'"),
    ("name FROM shop WHERE note = '<think>a'", "SELECT name FROM shop WHERE note = '<think>a'"),
    ("name FROM shop WHERE a = 'it''s'", "SELECT name FROM shop WHERE a = 'it''s'"),
    ("`Free Meal` FROM frpm", "SELECT `Free Meal` FROM frpm"),
    ("T1.name FROM shop AS T1 JOIN sale AS T2 ON T1.id = T2.id",
     "SELECT T1.name FROM shop AS T1 JOIN sale AS T2 ON T1.id = T2.id"),
    ("name FROM shop UNION SELECT name FROM bar",
     "SELECT name FROM shop UNION SELECT name FROM bar"),
    ("name FROM shop WHERE id IN (\nSELECT id FROM sale\n)",
     "SELECT name FROM shop WHERE id IN ( SELECT id FROM sale )"),
    ("<think>\nThe user wants SELECT 1", ""),
    ("<think>", ""),
    ("<think>a</think>", ""),
    ("\n<think>a</think>\n\n", ""),
    ("", ""),
    ("  \n", ""),
]  # fmt: skip


@pytest.mark.parametrize("answer", WHOLE)
def test_a_whole_query_is_found(answer: str) -> None:
    assert sql_line(answer) == Q
    assert " ".join(extract_sql(answer).split()) == Q


@pytest.mark.parametrize("answer", CONTINUED)
def test_what_goes_on_from_select_gets_it_back(answer: str) -> None:
    assert sql_line(answer) == Q


@pytest.mark.parametrize(("answer", "sql"), OTHERS)
def test_the_line_is(answer: str, sql: str) -> None:
    assert sql_line(answer) == (sql or "SELECT")
