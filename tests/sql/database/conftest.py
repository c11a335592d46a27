"""The same small shop on PostgreSQL, MariaDB and DuckDB, for an administrator and for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database_servers import PASSWORD, NoServerError, Server, admin_of, mariadb, postgresql

POSTGRESQL = """
CREATE TABLE shop (id int PRIMARY KEY, name text NOT NULL, city text, opened date,
  "discount %" numeric(6,2));
COMMENT ON TABLE shop IS 'Our shops';
COMMENT ON COLUMN shop.city IS 'Where it stands';
CREATE TABLE employee (id int PRIMARY KEY, name text, age int, salary numeric(10,2),
  shop_id int REFERENCES shop (id), hired timestamptz, tags text[], info jsonb);
CREATE TABLE secret (id int, token text);
CREATE TABLE "Ünï cödé" ("Größe" int, "select" text);
CREATE TABLE measured (day date, value float) PARTITION BY RANGE (day);
CREATE TABLE measured_2020 PARTITION OF measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE SCHEMA sales;
CREATE TYPE order_status AS ENUM ('open', 'paid');
CREATE TABLE sales.orders (id int PRIMARY KEY, shop_id int REFERENCES shop (id), total numeric,
  status order_status);
CREATE VIEW cities AS SELECT city, count(*) AS n FROM shop GROUP BY city;
CREATE VIEW tokens AS SELECT id, left(token, 1) AS start FROM secret;
CREATE SEQUENCE numbers;
CREATE FUNCTION evil(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS 'SELECT ''own''';
CREATE FUNCTION wrote() RETURNS int LANGUAGE plpgsql AS
  'BEGIN INSERT INTO secret VALUES (9, ''written''); RETURN 1; END';
CREATE OPERATOR ## (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
INSERT INTO shop VALUES (1, 'Lux', 'Lyon', '2016-02-01', 10.5),
  (2, 'Nox', 'Paris', '2014-05-05', 0), (3, 'Été', 'Lille', '2019-01-01', NULL);
INSERT INTO employee VALUES
  (1, 'Ann', 30, 1000.5, 1, '2020-01-31 10:00+00', ARRAY['a', 'b'], '{"k": 1}'),
  (2, 'Bob', 40, 2000, 2, '2021-06-01 10:00+02', NULL, NULL);
INSERT INTO secret VALUES (1, 'hidden');
INSERT INTO sales.orders VALUES (1, 1, 9.5, 'open');
INSERT INTO measured VALUES ('2020-05-05', 1.5);
CREATE MATERIALIZED VIEW big AS SELECT * FROM shop WHERE id > 1;
"""
POSTGRESQL_READER = f"""
CREATE ROLE reader LOGIN PASSWORD '{PASSWORD.replace("'", "''")}';
GRANT USAGE ON SCHEMA public, sales TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public, sales TO reader;
REVOKE ALL ON secret FROM reader;
CREATE ROLE narrow LOGIN PASSWORD '{PASSWORD.replace("'", "''")}';
GRANT SELECT (id, name) ON shop TO narrow;
"""
MARIADB = """
CREATE TABLE shop (id int PRIMARY KEY, name varchar(50) NOT NULL, city varchar(50)
  COMMENT 'Where it stands', opened date, `discount %` decimal(6,2)) COMMENT 'Our shops';
CREATE TABLE employee (id int PRIMARY KEY, name varchar(50), age int, salary decimal(10,2),
  shop_id int, hired datetime, kind enum('a', 'B'), info json, f bit(3),
  FOREIGN KEY (shop_id) REFERENCES shop (id));
CREATE TABLE secret (id int, token text);
CREATE TABLE `Ünï cödé` (`Größe` int, `select` text);
CREATE VIEW cities AS SELECT city, count(*) AS n FROM shop GROUP BY city;
CREATE VIEW tokens AS SELECT id, left(token, 1) AS start FROM secret;
CREATE FUNCTION evil(a int) RETURNS int DETERMINISTIC RETURN 1;
CREATE SEQUENCE numbers;
INSERT INTO shop VALUES (1, 'Lux', 'Lyon', '2016-02-01', 10.5),
  (2, 'Nox', 'Paris', '2014-05-05', 0), (3, 'Été', 'Lille', '2019-01-01', NULL);
INSERT INTO employee VALUES (1, 'Ann', 30, 1000.5, 1, '2020-01-31 10:00', 'a', '{"k": 1}', 5),
  (2, 'Bob', 40, 2000, 2, '2021-06-01 10:00', NULL, NULL, NULL);
INSERT INTO secret VALUES (1, 'hidden');
CREATE DATABASE other;
CREATE TABLE other.diary (line text);
INSERT INTO other.diary VALUES ('private')
"""
DUCKDB = """
CREATE TABLE shop (id INT PRIMARY KEY, name TEXT NOT NULL, city TEXT, opened DATE,
  "discount %" DECIMAL(6, 2));
COMMENT ON TABLE shop IS 'Our shops';
COMMENT ON COLUMN shop.city IS 'Where it stands';
CREATE TABLE employee (id INT PRIMARY KEY, name TEXT, age INT, salary DECIMAL(10, 2),
  shop_id INT REFERENCES shop (id), hired TIMESTAMPTZ, tags TEXT[], info JSON, u UUID, h HUGEINT,
  pair STRUCT(a INT));
CREATE TABLE secret (id INT, token TEXT);
CREATE TABLE "Ünï cödé" ("Größe" INT, "select" TEXT);
CREATE TYPE order_status AS ENUM ('open', 'paid');
CREATE SCHEMA sales;
CREATE TABLE sales.orders (id INT, shop_id INT, total DOUBLE, status order_status);
CREATE VIEW cities AS SELECT city, count(*) AS n FROM shop GROUP BY city;
CREATE VIEW tokens AS SELECT id, left(token, 1) AS start FROM secret;
CREATE MACRO evil(x) AS x + 1;
CREATE MACRO cosh(x) AS 'own';
CREATE SEQUENCE numbers;
INSERT INTO shop VALUES (1, 'Lux', 'Lyon', '2016-02-01', 10.5),
  (2, 'Nox', 'Paris', '2014-05-05', 0), (3, 'Été', 'Lille', '2019-01-01', NULL);
INSERT INTO employee VALUES (1, 'Ann', 30, 1000.5, 1, '2020-01-31 10:00+00', ['a'], '{"k": 1}',
  uuid(), 123456789012345678901234567890, {'a': 1}),
  (2, 'Bob', 40, 2000, 2, '2021-06-01 10:00+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO secret VALUES (1, 'hidden');
INSERT INTO sales.orders VALUES (1, 1, 9.5, 'open');
"""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        with postgresql() as server:
            admin = server.url("postgres", "postgres")
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute("CREATE DATABASE shopdb")
                connection.execute("CREATE DATABASE empty")
            with psycopg.connect(server.url("shopdb", "postgres")) as connection:
                connection.execute(POSTGRESQL)
                connection.execute(POSTGRESQL_READER)
            yield server
    except NoServerError as error:
        pytest.skip(f"no PostgreSQL server: {error}")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    pytest.importorskip("pymysql", reason="pymysql is not installed")
    try:
        with mariadb() as server:
            with admin_of(server, None) as cursor:
                cursor.execute("CREATE DATABASE shopdb CHARACTER SET utf8mb4")
                cursor.execute("CREATE DATABASE empty")
                cursor.execute("USE shopdb")
                for command in MARIADB.split(";\n"):
                    cursor.execute(command)
                for user, rights in (
                    ("reader", [f"SELECT ON shopdb.{name}" for name in READ]),
                    ("narrow", ["SELECT (id, name) ON shopdb.shop"]),
                ):
                    cursor.execute(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", (PASSWORD,))
                    for right in rights:
                        cursor.execute(f"GRANT {right} TO {user}")
            yield server
    except NoServerError as error:
        pytest.skip(f"no MariaDB server: {error}")


READ = ("shop", "employee", "cities", "tokens", "`Ünï cödé`")


@pytest.fixture
def duckdb_file(tmp_path: Path) -> Path:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    path = tmp_path / "shopdb.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute(DUCKDB)
    connection.close()
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """The reader's URL of one system, or the administrator's: parametrise it indirectly."""
    system, _, who = request.param.partition(" ")
    if system == "duckdb":
        return f"duckdb:///{request.getfixturevalue('duckdb_file')}"
    server: Server = request.getfixturevalue(f"{system}_server")
    return server.url("shopdb", server.superuser if who == "admin" else who or "reader")
