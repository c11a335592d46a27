"""A small shop with the oddities that real databases have."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from luciola.sql.schema import Schema, read_schema
from reference.databases import spider_folder
from reference_values import BESIDE

SHOP = """
CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, opened DATE);
CREATE TABLE employee (
    id INTEGER PRIMARY KEY, name VARCHAR(40), age INT, grade TEXT,
    shop_id INT REFERENCES shop (id), boss_id INT REFERENCES employee (id));
CREATE TABLE product (code TEXT PRIMARY KEY, title TEXT, price REAL);
CREATE TABLE sale (
    shop_id INT, code TEXT, day TEXT, amount INT, PRIMARY KEY (shop_id, code, day),
    FOREIGN KEY (shop_id) REFERENCES shop, FOREIGN KEY (code) REFERENCES product (code));
INSERT INTO shop VALUES (1, 'Corner', 'Lyon', '2014-05-01'),
    (2, 'Harbour', 'New York', '2016-01-31'),
    (3, 'Hill', 'Lyon', '2019-11-11'), (4, 'Mill', 'San José', NULL);
INSERT INTO employee VALUES (1, 'Ann Lee', 41, 'A', 1, NULL), (2, 'Bo', 29, 'B', 1, 1),
    (3, 'Cy', 35, 'A', 2, 1), (4, 'Di', 29, 'F', NULL, 3);
INSERT INTO product VALUES ('p1', 'Mountain Bike', 900.0), ('p2', 'Helmet', 45.5),
    ('p3', 'Bike', 300.0);
INSERT INTO sale VALUES (1, 'p1', '2020-01-01', 2), (1, 'p2', '2020-01-01', 5),
    (2, 'p2', '2020-02-01', 1);
"""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("databases") / "shop.sqlite", SHOP)


@pytest.fixture(scope="session")
def shop_schema(shop: Path) -> Schema:
    return read_schema(shop)


PUBLISHED = BESIDE / "data" / "spider"


@pytest.fixture(
    scope="session",
    params=["own", *(["spider"] if (PUBLISHED / "validation.jsonl").exists() else [])],
)
def spider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Spider's layout: of our own questions, and Spider where it lies beside."""
    if request.param == "spider":
        return PUBLISHED
    return spider_folder(tmp_path_factory.mktemp("spider"))


@pytest.fixture(scope="session")
def spider_counts(spider: Path) -> tuple[int, int]:
    """Questions of the validation part, and those whose query returns no row."""
    return (1011, 10) if spider == PUBLISHED else (14, 1)


def build(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.commit()
    connection.close()
    return path
