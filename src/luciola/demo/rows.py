"""Draws the rows of the demo's database from fixed seeds: the same on every machine and Python.

Believable where a question may look: sales follow the season and grow with the years, a few
customers buy most of it, people buy where they live, and nobody buys before they joined or in a
shop that has not opened yet.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from itertools import product as pairs_of
from typing import TypeVar

from luciola.demo.business import (
    CITIES,
    FIRST_NAMES,
    LAST_NAMES,
    MAIL_HOSTS,
    PRODUCTS,
    ROASTERY_STAFF,
    ROLES,
    SHOP_STAFF,
    SHOPS,
    SUPPLIERS,
    Product,
)

Row = tuple[object, ...]
T = TypeVar("T")

CUSTOMERS = 300
NEVER_BOUGHT = 24
STAFF_WHO_ARE_CUSTOMERS = 9
SALES = 3_400
FIRST_DAY, LAST_DAY = date(2023, 1, 1), date(2025, 12, 31)
SEASON = (0.8, 0.75, 0.85, 0.9, 1.0, 0.9, 0.8, 0.7, 0.95, 1.1, 1.4, 2.0)
"""How much is sold in each month of a year."""
GROWTH = {2023: 0.8, 2024: 1.0, 2025: 1.15}
QUANTITIES = (1, 2, 3, 4, 6), (55.0, 80.0, 90.0, 96.0, 100.0)
"""Units in one sale, and the per cent of sales with at most so many; gear is sold singly."""
ONLINE = 0.2
DISCOUNTED = 0.12


class Dice:
    """Draws through `random()` alone: the one sequence that Python keeps between versions."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random

    def below(self, limit: int) -> int:
        return int(self.random() * limit)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[T], heights: Sequence[float], first: int = 0) -> T:
        """One of the `first` options (0: of all), each as often as `heights` rises at it."""
        last = (first or len(options)) - 1
        return options[bisect(heights, self.random() * heights[last], hi=last)]

    def mixed(self, items: Sequence[T]) -> list[T]:
        return [items[place] for _, place in sorted((self.random(), i) for i in range(len(items)))]

    def day(self, first: date, last: date) -> date:
        return first + timedelta(days=self.below((last - first).days + 1))


def tables() -> dict[str, list[Row]]:
    """Rows by table, in the order of their columns; a table follows those that it refers to."""
    names = Dice(1).mixed([f"{first} {last}" for first, last in pairs_of(FIRST_NAMES, LAST_NAMES)])
    staff = names[: len(ROASTERY_STAFF) + sum(map(len, SHOP_STAFF))]
    regulars = Dice(2).mixed(staff)[:STAFF_WHO_ARE_CUSTOMERS]
    customers = _customers(Dice(3), [*regulars, *names[len(staff) :]][:CUSTOMERS])
    return {
        "shop": [(i, *shop) for i, shop in enumerate(SHOPS, 1)],
        "employee": _employees(Dice(4), staff),
        "customer": customers,
        "supplier": [(i, s.name, s.country, s.rating) for i, s in enumerate(SUPPLIERS, 1)],
        "product": [(i, *item[:-1]) for i, item in enumerate(PRODUCTS, 1)],
        "delivery": _deliveries(Dice(5)),
        "sale": _sales(Dice(18), customers),
    }


def _employees(dice: Dice, names: list[str]) -> list[Row]:
    """Those at the roastery belong to no shop; nobody is hired before their shop opened."""
    posts: list[tuple[int | None, str, date]] = [
        (shop_id, role, date.fromisoformat(shop.opened))
        for shop_id, (shop, roles) in enumerate(zip(SHOPS, SHOP_STAFF, strict=True), 1)
        for role in roles
    ]
    posts += [(None, role, date(2014, 1, 6)) for role in ROASTERY_STAFF]
    rows: list[Row] = []
    for number, (name, (shop_id, role, opened)) in enumerate(zip(names, posts, strict=True), 1):
        hired = opened if role == "manager" and dice.random() < 0.4 else dice.day(opened, LAST_DAY)
        salary = ROLES[role] + 450 * (LAST_DAY.year - hired.year) + 50 * dice.below(40)
        rows.append((number, name, shop_id, role, salary, hired.isoformat()))
    return rows


def _customers(dice: Dice, names: list[str]) -> list[Row]:
    joined = sorted(dice.day(date(2019, 3, 1), date(2025, 10, 31)) for _ in names)
    rows: list[Row] = []
    for number, (name, day) in enumerate(zip(dice.mixed(names), joined, strict=True), 1):
        host = dice.weighted(list(MAIL_HOSTS), list(accumulate(MAIL_HOSTS.values())))
        email = None if dice.random() < 0.18 else f"{name.lower().replace(' ', '.')}@{host}"
        city = dice.weighted(list(CITIES), list(accumulate(CITIES.values())))
        rows.append((number, name, city, email, day.isoformat()))
    return rows


def _deliveries(dice: Dice) -> list[Row]:
    """Every supplier brings each of its products every few weeks, at a rising price."""
    drawn: list[tuple[date, int, int, int, float]] = []
    numbers = {product.name: number for number, product in enumerate(PRODUCTS, 1)}
    for supplier_id, supplier in enumerate(SUPPLIERS, 1):
        for name in supplier.products:
            product = PRODUCTS[numbers[name] - 1]
            day = FIRST_DAY + timedelta(days=dice.below(40))
            while day <= LAST_DAY:
                kilos = 2 + dice.below(3 + int(product.appeal))
                per_kilo = product.price * (
                    0.8 + 0.06 * (day.year - FIRST_DAY.year) + 0.1 * dice.random()
                )
                drawn.append((day, supplier_id, numbers[name], kilos, _quarters(kilos * per_kilo)))
                day += timedelta(days=45 + dice.below(75))
    drawn.sort()
    return [
        (number, supplier_id, product_id, day.isoformat(), kilos, cost)
        for number, (day, supplier_id, product_id, kilos, cost) in enumerate(drawn, 1)
    ]


def _sales(dice: Dice, customers: list[Row]) -> list[Row]:
    """Weighted draws: the day by season and growth, the buyer by zeal, the product by appeal."""
    days = [FIRST_DAY + timedelta(days=i) for i in range((LAST_DAY - FIRST_DAY).days + 1)]
    busy = list(accumulate(SEASON[day.month - 1] * GROWTH[day.year] for day in days))
    quiet = {customer[0] for customer in dice.mixed(customers)[:NEVER_BOUGHT]}
    buyers = [customer for customer in customers if customer[0] not in quiet]
    joined = [str(buyer[4]) for buyer in buyers]  # ascending, so those who can buy come first
    luck = [dice.random() for _ in buyers]
    zeal = list(accumulate(draw * draw * draw + 0.03 for draw in luck))
    rows: list[Row] = []
    for day in sorted(dice.weighted(days, busy) for _ in range(SALES)):
        buyer = dice.weighted(buyers, zeal, first=bisect(joined, day.isoformat()))
        rows.append((len(rows) + 1, buyer[0], *_sale(dice, str(buyer[2]), day)))
    return rows


def _sale(dice: Dice, home: str, day: date) -> Row:
    """Product, shop, day, quantity and total of one sale to somebody who lives in `home`."""
    appeal = list(accumulate(_appeal(product, day) for product in PRODUCTS))
    product_id = dice.weighted(range(1, len(PRODUCTS) + 1), appeal)
    product = PRODUCTS[product_id - 1]
    bought = dice.weighted(*QUANTITIES)
    quantity = 1 if product.category == "gear" else bought
    discount = 0.9 if dice.random() < DISCOUNTED else 1.0
    total = _quarters(quantity * product.price * discount)
    return (product_id, _shop(dice, home, day), day.isoformat(), quantity, total)


def _appeal(product: Product, day: date) -> float:
    """How often a product is drawn on a day; the seasonal blends are sold in their season only."""
    winter, summer = day.month in (10, 11, 12, 1, 2), day.month in (5, 6, 7, 8, 9)
    in_season = {"Winter Blend": winter, "Summer Blend": summer}.get(product.name, True)
    return product.appeal if in_season else 0.0


def _shop(dice: Dice, home: str, day: date) -> int | None:
    """A shop that is open that day, mostly in the buyer's own city; None: bought online."""
    if dice.random() < ONLINE:
        return None
    opened = [number for number, shop in enumerate(SHOPS, 1) if shop.opened <= day.isoformat()]
    near = [number for number in opened if SHOPS[number - 1].city == home]
    return dice.pick(near if near and dice.random() < 0.85 else opened)


def _quarters(pounds: float) -> float:
    """Rounded to 25 pence, which a float holds exactly."""
    return round(pounds * 4) / 4
