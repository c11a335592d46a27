"""A small shop, prepared for augmentation, and a second database to borrow from."""

from __future__ import annotations

import pytest

from luciola.specialist.augment.augmenter import Pool
from luciola.specialist.augment.example import Blueprint, Column, Mention, Prepared, Table
from luciola.specialist.augment.pieces import pieces_of


def columns(*names: str, key: str = "", values: tuple[str, ...] = ()) -> tuple[Column, ...]:
    return tuple(
        Column(name, tuple(name.split("_")), key=name == key, values=values) for name in names
    )


@pytest.fixture(scope="session")
def shop() -> Blueprint:
    return Blueprint(
        "shop",
        (
            Table("shop", ("shop",), columns("shop_id", "city", "owner", key="shop_id",
                                             values=("Lyon", "Graz", "Turin"))),
            Table("employee", ("employee",), columns("employee_id", "wage", "age", "shop_id",
                                                     key="employee_id")),
            Table("holiday", ("holiday",), columns("holiday_id", "season", key="holiday_id")),
        ),
        (((1, 3), (0, 0)),),
    )  # fmt: skip


@pytest.fixture(scope="session")
def pool(shop: Blueprint) -> Pool:
    zoo = Blueprint(
        "zoo",
        (
            Table("keeper", ("keeper",), columns("keeper_id", "uniform", "cage")),
            Table("lion", ("lion",), columns("lion_id", "mane", "roar")),
        ),
    )
    return Pool.of([shop, zoo])


@pytest.fixture(scope="session")
def joined(shop: Blueprint) -> Prepared:
    """Wages are named, age is only meant ("older"), the city is a cell value."""
    sql = (
        "SELECT T1.wage FROM employee AS T1 JOIN shop AS T2 ON T2.shop_id = T1.shop_id "
        "WHERE T2.city = 'Lyon' AND T1.age > 40"
    )
    question = "What are the wages of employees older than 40 in the city Lyon?"
    return Prepared(shop, question, pieces_of(sql, shop), (Mention(0, 1, "Lyon"),))
