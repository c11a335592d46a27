from __future__ import annotations

from luciola.sql.prompt import conversation, messages, schema_text
from luciola.sql.schema import Column, ForeignKey, Schema, Table
from luciola.sql.values import Mention

SHOP_TEXT = """Answer with one SQLite query.
 shop: id*, name, city, opened
 employee: id*, name, age, grade, shop_id -> shop.id, boss_id -> employee.id
 product: code*, title, price
 sale: shop_id* -> shop.id, code* -> product.code, day*, amount"""


def test_a_schema_is_one_line_per_table_with_keys_marked(shop_schema: Schema) -> None:
    assert schema_text(shop_schema) == SHOP_TEXT


def test_order_permutes_the_tables_and_nothing_else(shop_schema: Schema) -> None:
    head, *lines = SHOP_TEXT.splitlines()
    shuffled = schema_text(shop_schema, order=[2, 0, 3, 1]).splitlines()
    assert shuffled == [head, lines[2], lines[0], lines[3], lines[1]]


def test_types_are_shown_on_request(shop_schema: Schema) -> None:
    assert " employee: id* integer, name varchar, age int" in schema_text(shop_schema, types=True)


def test_names_that_need_quotes_are_shown_as_sql_writes_them() -> None:
    table = Table("order", (Column("unit price"), Column('a "b'), Column("from"), Column("Kind")))
    schema = Schema("sqlite", (table,))
    assert schema_text(schema).endswith(' "order": "unit price", "a ""b", "from", Kind')


def test_postgresql_quotes_names_with_capitals_because_it_folds_bare_ones() -> None:
    schema = Schema("postgresql", (Table("user", (Column("Kind"), Column("city"))),))
    assert schema_text(schema) == 'Answer with one PostgreSQL query.\n "user": "Kind", city'


def test_keys_to_absent_tables_are_left_out_and_composite_keys_stand_column_by_column() -> None:
    keys = (ForeignKey(("a", "b"), "Pair", ("x", "y")), ForeignKey(("c",), "gone", ("id",)))
    part = Table("part", (Column("a"), Column("b"), Column("c")), foreign_keys=keys)
    pair = Table("pair", (Column("x", primary_key=True), Column("y", primary_key=True)))
    text = schema_text(Schema("sqlite", (part, pair)))
    assert text.splitlines()[1:] == [" part: a -> pair.x, b -> pair.y, c", " pair: x*, y*"]


def test_questions_about_one_database_share_the_system_message() -> None:
    first = messages("SCHEMA", "How many?")
    second = messages("SCHEMA", " Which in Lyon? ", [Mention("shop", "city", "L'Isle")])
    assert first[0] == second[0] and first[0].role == "system"
    assert first[1].content == "How many?"
    assert second[1].content == "Which in Lyon?\n(shop.city = 'L''Isle')"


def test_a_training_example_ends_in_the_sql() -> None:
    example = conversation("SCHEMA", "How many?", (), "SELECT 1")
    assert [message.role for message in example.messages] == ["system", "user", "assistant"]
    assert example.messages[:2] == messages("SCHEMA", "How many?")
    assert example.messages[2].content == "SELECT 1"
