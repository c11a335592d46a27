"""What holds on every server: types, names, rights, and one sentence for what goes wrong."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from database_servers import Server, admin_of
from luciola.errors import DatabaseError, SqlError, SqlForbiddenError, SqlInvalidError
from luciola.sql.database.address import display_name
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.execution import Item, evaluate
from luciola.sql.inspection import inspection

SYSTEMS = ["postgresql", "mariadb", "duckdb"]


@pytest.mark.parametrize("database_url", ["postgresql", "duckdb"], indirect=True)
def test_schemas_views_comments_and_odd_names_are_shown(database_url: str) -> None:
    text = inspection(database_url)
    for part in ("sales.orders", "cities (view, 3 rows)", "Our shops", "Where it stands", "Größe"):
        assert part in text
    assert " sales.orders: id" in text
    assert "Lyon" in text


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_one_table_that_may_not_be_read_does_not_lock_out_its_reader(database_url: str) -> None:
    with Sandbox(database_url) as sandbox:
        schema = sandbox.schema()
        names = {table.name for table in schema.tables}
        assert {"shop", "employee"} <= names
        assert "secret" not in names
        if database_url.startswith("postgresql"):  # MariaDB does not tell its name
            assert schema.unreadable == ("secret",)
            assert "This user may not read: secret" in inspection(database_url)
        with pytest.raises(SqlForbiddenError):
            sandbox.run("SELECT * FROM secret")


@pytest.mark.parametrize("database_url", ["postgresql narrow", "mariadb narrow"], indirect=True)
def test_rights_on_columns_show_these_columns_alone(database_url: str) -> None:
    with Sandbox(database_url) as sandbox:
        (table,) = sandbox.schema().tables
        assert [column.name for column in table.columns] == ["id", "name"]
        assert sandbox.run("SELECT name FROM shop WHERE id = 1").rows == (("Lux",),)
        with pytest.raises(SqlError):
            sandbox.run("SELECT city FROM shop")


def test_postgresql_values_come_as_numbers_and_texts(postgresql_server: Server) -> None:
    expected = {
        "'2020-01-31'::date": "2020-01-31",
        "1.50::numeric": 1.5,
        "12345678901234567890::numeric": 12345678901234567890,
        "9223372036854775807": 9223372036854775807,
        "'1 day 02:00'::interval": "1 day 02:00:00",
        "ARRAY[1, 2]": "{1,2}",
        """'{"a": 1}'::jsonb""": '{"a": 1}',
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "'\\x00ff'::bytea": b"\x00\xff",
        "B'101'": "101",
        "'open'::order_status": "open",
        "true": True,
        "'Infinity'::float8": float("inf"),
        "'infinity'::date": "infinity",
        "timestamptz '2020-01-01 00:00+00' AT TIME ZONE 'UTC'": "2020-01-01 00:00:00",
        "NULL": None,
    }
    with Sandbox(postgresql_server.url("shopdb")) as sandbox:
        for sql, value in expected.items():
            assert sandbox.run(f"SELECT {sql}").rows == ((value,),), sql
        (found,) = sandbox.run("SELECT 'NaN'::float8, 'NaN'::numeric").rows[0:1]
        assert all(cell != cell for cell in found)


def test_mariadb_values_come_as_numbers_and_texts(mariadb_server: Server) -> None:
    expected = {
        "DATE '2020-01-31'": "2020-01-31",
        "1.50": 1.5,
        "CAST(18446744073709551615 AS UNSIGNED)": 18446744073709551615,
        "TIME '10:00:01'": "10:00:01",
        "CAST('0000-00-00' AS CHAR)": "0000-00-00",
        "x'00ff'": b"\x00\xff",
        "1 = 1": 1,
        "NULL": None,
        "'é'": "é",
    }
    with Sandbox(mariadb_server.url("shopdb")) as sandbox:
        for sql, value in expected.items():
            assert sandbox.run(f"SELECT {sql}").rows == ((value,),), sql
        assert sandbox.run("SELECT f, kind, info FROM employee WHERE id = 1").rows == (
            (5, "a", '{"k": 1}'),
        )


def test_mysql_urls_work_on_a_mariadb_server(mariadb_server: Server) -> None:
    with Sandbox(mariadb_server.url("shopdb").replace("mariadb://", "mysql://")) as sandbox:
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((3,),)
        assert sandbox.schema().dialect == "mariadb"


@pytest.mark.parametrize("system", ["postgresql", "mariadb"])
def test_what_goes_wrong_at_the_door_is_one_sentence_without_the_password(
    system: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(f"{system}_server")
    url = server.url("shopdb")
    for broken in (
        server.url("nothing"),
        server.url("shopdb", password="wr@ng-secret"),
        server.url("shopdb", user="nobody", password="wrong-secret"),
        url.replace(f":{server.port}/", ":1/"),
        url.replace(f":{server.port}/", ":port/"),
        server.url("empty"),
    ):
        with pytest.raises(DatabaseError) as caught:
            inspection(broken)
        assert "\n" not in caught.value.message
        assert "ng-secret" not in caught.value.message
        assert "p%40ss" not in caught.value.message
        assert "p@ss" not in caught.value.message


def test_no_part_of_a_password_is_shown() -> None:
    for url in (
        "postgresql://me:secret@host/name",
        "postgresql://me:sec@ret/secret@host/name",
        "mysql://me:secret",
        "mysql://me:secret/name",
        "postgresql://host/name?password=secret&x=1",
        "postgresql://me@host/name?sslpassword=secret",
        "mysql+pymysql://me:secret@:x/",
    ):
        assert "secret" not in display_name(url), url
    assert display_name("postgresql://host:5432/name") == "postgresql://host:5432/name"


def _documented(word: str) -> str:
    """The block of SQL in the documentation that holds a word."""
    page = (Path(__file__).parents[3] / "docs" / "database-servers.md").read_text(encoding="utf-8")
    (found,) = (text for text in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if word in text)
    return str(found)


def test_the_documented_rights_of_postgresql_are_enough_and_no_more(
    postgresql_server: Server,
) -> None:
    import psycopg

    admin = postgresql_server.url("shopdb", "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(_documented("CONNECTION LIMIT"))  # type: ignore[arg-type]
    url = postgresql_server.url("shopdb", "luciola", "choose-one")
    with Sandbox(url, workers=4) as sandbox:
        assert sandbox.schema().unreadable == ("secret",)
        both = sandbox.run_many(["SELECT count(*) FROM shop", "SELECT id FROM sales.orders"] * 8)
        assert {found.rows for found in both if not isinstance(found, SqlError)} == {
            ((3,),),
            ((1,),),
        }
        with pytest.raises(SqlForbiddenError):
            sandbox.run("SELECT * FROM secret")


def test_the_documented_rights_of_mariadb_are_enough_and_no_more(mariadb_server: Server) -> None:
    with admin_of(mariadb_server) as cursor:
        for statement in _documented("MAX_USER_CONNECTIONS").strip().split(";\n"):
            cursor.execute(statement)
    with Sandbox(mariadb_server.url("shopdb", "luciola", "choose-one")) as sandbox:
        names = {table.name: len(table.columns) for table in sandbox.schema().tables}
        assert names == {"shop": 5, "employee": 2}
        assert len(sandbox.run("SELECT name FROM employee").rows) == 2
        with pytest.raises(SqlForbiddenError, match="salary"):
            sandbox.run("SELECT salary FROM employee")


def test_an_empty_database_says_so(postgresql_server: Server) -> None:
    with pytest.raises(DatabaseError, match="no tables"):
        inspection(postgresql_server.url("empty"))


@pytest.mark.parametrize("database_url", SYSTEMS, indirect=True)
def test_one_answer_that_fails_does_not_end_an_evaluation(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    gold = "SELECT count(*) FROM shop"
    deep = "SELECT " + "(SELECT " * 3000 + "1" + ")" * 3000
    slow = {
        "postgresql": "SELECT count(*) FROM generate_series(1, 100000000000)",
        "mariadb": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
        "SELECT count(*) FROM r",
        "duckdb": "SELECT count(*) FROM range(1000000000000)",
    }[database_url.partition(":")[0]]
    answers = [
        gold,
        deep,
        slow,
        "DROP TABLE shop",
        "",
        "SELECT",
        "(" * 400 + gold + ")" * 400,
        gold,
    ]
    with Sandbox(database_url, timeout_s=1) as sandbox:
        report = evaluate([Item(gold, answer, database_url) for answer in answers], sandbox)
    right = [verdict.correct for verdict in report.verdicts]
    assert right[0] and right[-1]
    assert not any(right[1:6])


def test_a_lost_connection_is_made_anew(postgresql_server: Server, mariadb_server: Server) -> None:
    import psycopg

    with Sandbox(postgresql_server.url("shopdb")) as sandbox:
        sandbox.run("SELECT 1")
        with psycopg.connect(postgresql_server.url("shopdb", "postgres")) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'luciola'"
            )
        time.sleep(0.2)
        assert _second_time(sandbox) == ((3,),)
    with Sandbox(mariadb_server.url("shopdb")) as sandbox:
        sandbox.run("SELECT 1")
        with admin_of(mariadb_server) as cursor:
            cursor.execute("KILL USER reader")
        time.sleep(0.2)
        assert _second_time(sandbox) == ((3,),)


def _second_time(sandbox: Sandbox) -> object:
    try:
        return sandbox.run("SELECT count(*) FROM shop").rows
    except (DatabaseError, SqlInvalidError):
        return sandbox.run("SELECT count(*) FROM shop").rows


def test_duckdb_files_are_found_from_where_the_user_stands(
    duckdb_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(duckdb_file.parent)
    with Sandbox(f"duckdb:///{duckdb_file.name}") as sandbox:
        assert sandbox.run("SELECT count(*) FROM shop").rows == ((3,),)
