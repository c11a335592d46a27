"""Only the tables and columns that are allowed can be read, whatever a query tries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from luciola.errors import ConfigError, SqlError, SqlForbiddenError, SqlInvalidError
from luciola.sql.database.allowed import Allowed
from luciola.sql.database.sandbox import Sandbox

SECRET = "s3cret"
SCRIPT = f"""
CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO shop VALUES (1, 'Corner', 'Lyon'), (2, 'Harbour', 'Nice');
CREATE TABLE employee (id INTEGER PRIMARY KEY, name TEXT, salary TEXT, shop_id INT REFERENCES shop);
INSERT INTO employee VALUES (7, 'Ann', '{SECRET}', 1);
CREATE TABLE payroll (name TEXT, pay TEXT);
INSERT INTO payroll VALUES ('Corner', '{SECRET}'), ('x', 'y'), ('x', 'z');
CREATE VIEW named AS SELECT name FROM payroll;
CREATE VIEW deep AS SELECT name FROM named;
CREATE VIEW leaky AS SELECT pay FROM payroll;
CREATE VIEW "odd é" AS SELECT name FROM payroll;
CREATE VIRTUAL TABLE words USING fts5(body);
INSERT INTO words VALUES ('fire fly');
CREATE VIRTUAL TABLE hidden_words USING fts5(body);
INSERT INTO hidden_words VALUES ('{SECRET}');
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
INSERT INTO boxes VALUES (1, 2, 3);
CREATE INDEX by_pay ON payroll (pay);
ANALYZE;
"""
ALLOWED = Allowed.of(
    ["shop", "named", "deep", "words", "boxes", "odd é"], ["employee.name", "employee.shop_id"]
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    path = tmp_path_factory.mktemp("allowed") / "business.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCRIPT)
    with Sandbox(path, allowed=ALLOWED) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM shop ORDER BY id", (("Corner",), ("Harbour",))),
        ("SELECT * FROM shop WHERE rowid = 2", ((2, "Harbour", "Nice"),)),
        ("SELECT count(*) FROM Shop", ((2,),)),
        ("SELECT e.name, city FROM employee e JOIN shop s ON s.id = e.shop_id", (("Ann", "Lyon"),)),
        ("SELECT count(*) FROM employee", ((1,),)),
        ("SELECT name FROM named WHERE name <> 'x'", (("Corner",),)),
        ("SELECT count(*) FROM named", ((3,),)),
        ("SELECT count(*) FROM deep", ((3,),)),
        ("SELECT count(*) FROM [odd é]", ((3,),)),
        ("WITH c AS (SELECT name FROM deep) SELECT count(*) FROM c", ((3,),)),
        ("WITH c AS (SELECT 1) SELECT count(*) FROM c", ((1,),)),
        ("SELECT body FROM words WHERE words MATCH 'fly'", (("fire fly",),)),
        ("SELECT id FROM boxes WHERE x0 > 1", ((1,),)),
        ("SELECT value FROM json_each('[1]')", ((1,),)),
        ("SELECT count(*) FROM shop JOIN boxes USING (id)", ((1,),)),
        ("WITH RECURSIVE n (x) AS (SELECT 1 UNION SELECT x + 1 FROM n WHERE x < 3)"
         " SELECT max(x) FROM n", ((3,),)),
        ("SELECT max(name) FROM (SELECT name FROM shop) AS payroll", (("Harbour",),)),
    ],
)  # fmt: skip
def test_what_is_allowed_can_be_read(
    sandbox: Sandbox, sql: str, rows: tuple[tuple[object, ...], ...]
) -> None:
    assert sandbox.run(sql).rows == rows


HIDDEN = [
    "SELECT * FROM payroll",
    "SELECT pay FROM main.payroll",
    "SELECT count(*) FROM payroll",
    "SELECT 1 FROM payroll",
    "SELECT EXISTS (SELECT 1 FROM payroll)",
    "SELECT name FROM shop WHERE name IN payroll",
    "SELECT name FROM shop WHERE name IN (SELECT name FROM payroll)",
    "SELECT name FROM shop UNION SELECT pay FROM payroll",
    "SELECT (SELECT pay FROM payroll LIMIT 1)",
    "SELECT s.name FROM shop s, payroll p",
    "SELECT count(*) FROM shop NATURAL JOIN payroll",
    "SELECT count(*) FROM shop JOIN payroll USING (name)",
    "SELECT count(*) FROM shop NATURAL LEFT JOIN [payroll]",
    "SELECT count(*) FROM shop NATURAL JOIN sqlite_master",
    "SELECT count(*) FROM shop NATURAL JOIN 'payroll'",
    "SELECT count(*) FROM shop NATURAL JOIN employee",
    "WITH c AS (SELECT 's3cret' AS salary) SELECT count(*) FROM c JOIN employee USING (salary)",
    "WITH c AS (SELECT 's3cret' AS salary) SELECT count(*) FROM c NATURAL JOIN employee",
    "WITH named AS (SELECT pay FROM payroll) SELECT * FROM named",
    "WITH Named (x) AS (SELECT pay FROM payroll) SELECT * FROM NAMED",
    "WITH 'named' AS (SELECT pay FROM payroll) SELECT * FROM named",
    "WITH \"named\" AS MATERIALIZED (SELECT pay FROM payroll) SELECT * FROM named",
    "WITH [named] AS NOT MATERIALIZED (SELECT pay FROM payroll) SELECT * FROM named",
    "WITH `deep` AS (SELECT pay FROM payroll) SELECT * FROM deep",
    "WITH named/**/AS--\n(SELECT pay FROM payroll) SELECT * FROM named",
    "WITH \ufeffnamed AS (SELECT pay FROM payroll) SELECT * FROM named",
    "WITH \"odd é\" AS (SELECT pay FROM payroll) SELECT * FROM [odd é]",
    "WITH deep AS (SELECT * FROM leaky) SELECT * FROM deep",
    "WITH RECURSIVE named AS (SELECT pay FROM payroll UNION SELECT 1 FROM named)"
    " SELECT * FROM named",
    "SELECT * FROM (WITH named AS (SELECT pay FROM payroll) SELECT * FROM named)",
    "SELECT * FROM (SELECT pay FROM payroll) AS named",
    "SELECT (SELECT count(*) FROM named), (SELECT count(*) FROM payroll)",
    "SELECT * FROM leaky",
    "SELECT count(*) FROM leaky",
    "SELECT * FROM employee",
    "SELECT salary FROM employee",
    "SELECT e.salary FROM employee AS e",
    "SELECT EMPLOYEE.[Salary] FROM Employee",
    "SELECT name FROM employee WHERE salary LIKE 's%'",
    "SELECT name FROM employee ORDER BY salary",
    "SELECT name FROM employee GROUP BY name HAVING max(salary) > 'a'",
    "SELECT sum(1) OVER (ORDER BY salary) FROM employee",
    "SELECT rowid FROM employee",
    "SELECT _rowid_ FROM employee",
    "SELECT oid FROM employee",
    "SELECT id FROM employee",
    "SELECT name FROM shop s WHERE EXISTS (SELECT 1 FROM employee WHERE salary = s.name)",
    "SELECT count(salary) FROM employee",
    "SELECT json_group_array(salary) FROM employee",
    "SELECT * FROM sqlite_master",
    "SELECT sql FROM sqlite_schema",
    "SELECT count(*) FROM sqlite_master",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM main.sqlite_master",
    "SELECT * FROM sqlite_stat1",
    "SELECT * FROM pragma_table_info('payroll')",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM words_content",
    "SELECT * FROM words_data",
    "SELECT c0 FROM hidden_words_content",
    "SELECT * FROM hidden_words",
    "SELECT * FROM hidden_words('s3cret')",
    "SELECT nodeno FROM boxes_node",
    "SELECT name FROM shop, json_each((SELECT json_group_array(pay) FROM payroll))",
    "SELECT name FROM shop ORDER BY (SELECT pay FROM payroll LIMIT 1)",
    "SELECT name FROM shop LIMIT (SELECT count(*) FROM payroll)",
    "VALUES ((SELECT pay FROM payroll))",
    "SELECT * FROM nothing_of_this_name",
    "SELECT nothing_of_this_name FROM shop",
    "SELECT shop.nothing FROM shop",
    "SELECT name FROM shop s, employee e",
    "EXPLAIN SELECT pay FROM payroll",
    "PRAGMA table_info(payroll)",
    "TABLE payroll",
    "SELECT pay FROM payroll INDEXED BY by_pay",
    "SELECT name FROM shop INDEXED BY by_pay",
]  # fmt: skip


@pytest.mark.parametrize("sql", HIDDEN)
def test_nothing_else_can_be_read(sandbox: Sandbox, sql: str) -> None:
    with pytest.raises(SqlError) as refused:
        sandbox.run(sql)
    assert SECRET not in str(refused.value)


def test_an_error_does_not_tell_whether_a_hidden_name_exists(sandbox: Sandbox) -> None:
    for there, not_there in (
        ("SELECT * FROM payroll", "SELECT * FROM payrill"),
        ("SELECT salary FROM employee", "SELECT celery FROM employee"),
        ("SELECT count(*) FROM leaky", "SELECT count(*) FROM leeky"),
        ("SELECT 1 FROM shop NATURAL JOIN payroll", "SELECT 1 FROM shop NATURAL JOIN payrill"),
    ):
        said = []
        for sql in (there, not_there):
            with pytest.raises(SqlForbiddenError) as refused:
                sandbox.run(sql)
            said.append(str(refused.value))
        assert said[0] == said[1]
        assert "employee (name, shop_id)" in said[0]
    with pytest.raises(SqlInvalidError, match="syntax error"):
        sandbox.run("SELEC name FROM shop")


def test_the_schema_holds_no_more_than_is_allowed(sandbox: Sandbox) -> None:
    schema = sandbox.schema()
    assert {table.name: [column.name for column in table.columns] for table in schema.tables} == {
        "shop": ["id", "name", "city"],
        "employee": ["name", "shop_id"],
        "words": ["body"],
        "boxes": ["id", "x0", "x1"],
        "named": ["name"],
        "deep": ["name"],
        "odd é": ["name"],
    }
    assert schema.views == ()


def test_names_that_are_not_there_are_told(sandbox: Sandbox) -> None:
    for tables, columns, said in (
        (["shpo"], [], "no table or view 'shpo'"),
        ([], ["shop.nmae"], "shop has no column 'nmae'"),
    ):
        with (
            Sandbox(sandbox.database, allowed=Allowed.of(tables, columns)) as other,
            pytest.raises(ConfigError, match=said),
        ):
            other.schema()
    with pytest.raises(ConfigError, match="without its table"):
        Allowed.of([], ["name"])
    assert Allowed.of() is None
