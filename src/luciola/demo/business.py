"""The demo's invented business: Lantern Coffee, a roastery with shops in the south-west of England.

Everything here is made up; people and companies of these names are a coincidence. Prices are
multiples of 25 pence, which floats hold exactly, so that sums do not depend on the order of rows.
"""

from __future__ import annotations

from typing import NamedTuple


class Shop(NamedTuple):
    name: str
    city: str
    opened: str
    seats: int


class Product(NamedTuple):
    name: str
    category: str
    roast: str | None
    price: float
    stock: int
    appeal: float  # how often it is drawn for a sale; 0: never sold


class Supplier(NamedTuple):
    name: str
    country: str
    rating: int | None
    products: tuple[str, ...]  # what it delivers; empty: nothing so far


SHOPS = (
    Shop("Harbourside", "Bristol", "2014-05-03", 42),
    Shop("Mill Lane", "Bath", "2015-09-19", 28),
    Shop("Castle Arcade", "Cardiff", "2016-03-12", 35),
    Shop("Cathedral Green", "Exeter", "2017-06-24", 30),
    Shop("Broad Street", "Oxford", "2018-02-10", 54),
    Shop("Park Row", "Bristol", "2018-10-06", 18),
    Shop("Station Square", "Reading", "2019-04-27", 12),
    Shop("Old Market", "Bristol", "2021-07-17", 60),
    Shop("Quay House", "Plymouth", "2022-05-14", 38),
    Shop("Abbey Yard", "Bath", "2024-03-23", 16),
)

PRODUCTS = (
    Product("House Blend", "beans", "medium", 8.5, 240, 9),
    Product("Harbour Espresso", "beans", "dark", 9.0, 185, 8),
    Product("Night Shift", "beans", "dark", 8.75, 120, 5),
    Product("Morning Light", "beans", "light", 9.25, 96, 4),
    Product("Yirgacheffe", "beans", "light", 11.5, 74, 5),
    Product("Sidamo", "beans", "light", 10.75, 61, 3),
    Product("Nyeri", "beans", "light", 12.25, 43, 2.5),
    Product("Musasa", "beans", "medium", 11.0, 38, 2),
    Product("Gayo", "beans", "dark", 10.25, 57, 3),
    Product("Huila", "beans", "medium", 10.5, 88, 4),
    Product("Antigua", "beans", "medium", 9.75, 66, 3),
    Product("Santos", "beans", "medium", 8.0, 142, 5),
    Product("Cerrado", "beans", "dark", 8.25, 133, 4),
    Product("Geisha", "beans", "light", 24.0, 9, 0.7),
    Product("Decaf Huila", "beans", "medium", 11.25, 52, 2.5),
    Product("Winter Blend", "beans", "dark", 9.5, 0, 2.5),
    Product("Summer Blend", "beans", "light", 10.0, 35, 2),
    Product("Earl Grey", "tea", None, 6.0, 83, 3),
    Product("Assam", "tea", None, 5.5, 97, 3),
    Product("Darjeeling", "tea", None, 7.25, 41, 1.5),
    Product("Sencha", "tea", None, 7.75, 29, 1.5),
    Product("Peppermint", "tea", None, 4.75, 68, 2),
    Product("Rooibos", "tea", None, 5.0, 54, 1.5),
    Product("Paper Filters", "gear", None, 4.5, 310, 4),
    Product("Travel Mug", "gear", None, 17.5, 44, 1.5),
    Product("French Press", "gear", None, 26.0, 19, 1),
    Product("Moka Pot", "gear", None, 29.5, 14, 1),
    Product("Pour Over Kit", "gear", None, 34.0, 11, 0.8),
    Product("Hand Grinder", "gear", None, 48.0, 8, 0.8),
    Product("Digital Scale", "gear", None, 39.0, 6, 0.5),
    Product("Cold Brew Jar", "gear", None, 31.25, 25, 0),
    Product("Oat Biscuits", "snack", None, 3.75, 116, 3),
    Product("Ginger Shortbread", "snack", None, 4.25, 72, 2.5),
    Product("Almond Cantuccini", "snack", None, 5.25, 48, 2),
    Product("Dark Chocolate", "snack", None, 3.5, 150, 3.5),
    Product("Honey Granola", "snack", None, 6.5, 30, 0),
)

SUPPLIERS = (
    Supplier("Kebele Cooperative", "Ethiopia", 5, ("Yirgacheffe", "Sidamo", "Morning Light")),
    Supplier("Blue Nile Traders", "Ethiopia", 3, ("Sidamo", "Summer Blend")),
    Supplier("Mount Kenya Growers", "Kenya", 4, ("Nyeri",)),
    Supplier("Thousand Hills", "Rwanda", 5, ("Musasa",)),
    Supplier("Takengon Estates", "Indonesia", 4, ("Gayo", "Night Shift")),
    Supplier("Finca El Roble", "Colombia", 4, ("Huila", "Decaf Huila", "House Blend")),
    Supplier("Valle Verde", "Colombia", None, ("Huila",)),
    Supplier("Fazenda Boa Vista", "Brazil", 3, ("Santos", "Cerrado", "House Blend")),
    Supplier("Serra Azul", "Brazil", 4, ("Cerrado", "Harbour Espresso")),
    Supplier("Finca La Paz", "Guatemala", 4, ("Antigua", "Winter Blend")),
    Supplier("Boquete Farms", "Panama", 5, ("Geisha",)),
    Supplier("Teesta Valley", "India", 3, ("Darjeeling", "Assam", "Earl Grey")),
    Supplier("Uji Leaf", "Japan", 5, ("Sencha",)),
    Supplier("Cape Herbs", "South Africa", 2, ("Rooibos", "Peppermint")),
    Supplier("Hoffmann Brewing", "Germany", 4, ("Paper Filters", "Hand Grinder", "Digital Scale")),
    Supplier("Officina Torino", "Italy", 3, ("Moka Pot", "French Press")),
    Supplier("Severn Bakery", "England", 4, ("Oat Biscuits", "Ginger Shortbread")),
    Supplier("Dolce Prato", "Italy", 4, ("Almond Cantuccini", "Dark Chocolate")),
    Supplier("Dalat Highlands", "Vietnam", None, ()),
    Supplier("Copper Canyon", "Mexico", None, ()),
)

CITIES = {
    "Bristol": 24.0, "Bath": 14.0, "Cardiff": 13.0, "Exeter": 11.0, "Oxford": 11.0,
    "Plymouth": 8.0, "Reading": 7.0, "Gloucester": 5.0, "Swindon": 4.0, "Cheltenham": 4.0,
    "London": 6.0, "Taunton": 3.0,
}  # fmt: skip
"""Where customers live, and how often."""

ROLES = {"barista": 21_500, "baker": 24_000, "driver": 25_500, "roaster": 29_000, "manager": 34_000}
"""Starting salary a year of each role, in pounds."""

SHOP_STAFF = (
    ("manager", "barista", "barista", "barista", "baker"),
    ("manager", "barista", "barista", "baker"),
    ("manager", "barista", "barista", "barista"),
    ("manager", "barista", "barista"),
    ("manager", "barista", "barista", "barista", "baker", "baker"),
    ("manager", "barista"),
    ("manager", "barista", "barista"),
    ("manager", "barista", "barista", "barista", "barista", "baker"),
    ("manager", "barista", "barista", "baker"),
    ("manager", "barista"),
)
"""Roles in each shop, in the order of SHOPS."""

ROASTERY_STAFF = ("roaster", "roaster", "roaster", "driver", "driver", "driver", "manager")
"""Roles at the roastery, which is no shop."""

FIRST_NAMES = (
    "Amelia", "Owen", "Priya", "Tomasz", "Grace", "Callum", "Leila", "Hugo", "Megan", "Idris",
    "Sofia", "Ben", "Nadia", "Rhys", "Clara", "Joseph", "Yuki", "Martha", "Dylan", "Esther",
    "Omar", "Phoebe", "Luca", "Harriet", "Kwame", "Ivy", "Gareth", "Anika", "Felix", "Rosa",
    "Samuel", "Bronwen", "Arthur", "Zara", "Nathan", "Alice", "Mateo", "Judith", "Conor", "Lydia",
)  # fmt: skip

LAST_NAMES = (
    "Hart", "Pritchard", "Sharma", "Nowak", "Bennett", "Doyle", "Rahimi", "Fletcher", "Price",
    "Mensah", "Romero", "Whitfield", "Okafor", "Llewellyn", "Marsh", "Tanaka", "Ashby", "Cole",
    "Griffiths", "Lowe", "Haddad", "Sinclair", "Moretti", "Barlow", "Quinn", "Fraser", "Penrose",
    "Singh", "Webb", "Holloway",
)  # fmt: skip

MAIL_HOSTS = {"gmail.com": 5.0, "outlook.com": 2.5, "yahoo.com": 1.5, "proton.me": 1.0}
