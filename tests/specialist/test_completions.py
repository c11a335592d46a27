"""Pairs in a representation as tokens to train on, and what is left out of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from luciola.config.sql import SqlConfig
from luciola.conversation.render import Renderer
from luciola.errors import DataError
from luciola.methods.examples import Examples
from luciola.specialist.completions import make_completions, prompt_room
from luciola.specialist.expertise import Expertise
from luciola.specialist.pairs import read_pairs
from luciola.sql.dail.facts import read_facts
from luciola.sql.dail.representation import representation
from support import write_shop

HOW_MANY = ("How many shops are there?", "SELECT  count(*)\nFROM shop AS T1")
WHO = ("Which shops are in Bath?", "select name FROM shop WHERE city_id = 1;")


def examples(renderer: Renderer, database: Path, rows: list[Any], **settings: Any) -> Examples:
    lines = [
        json.dumps(dict(zip(("question", "query", "db_id"), row, strict=False))) for row in rows
    ]
    Path("pairs.jsonl").write_text("\n".join(lines) + "\n")
    config = SqlConfig(
        model="m", database=str(database), pairs="pairs.jsonl", **{"prompt": "CR_P", **settings}
    )
    taught = Expertise.of(config, database="", room=prompt_room(config.max_length))
    assert taught.representation is not None
    pairs = read_pairs("pairs.jsonl")
    return make_completions(config, pairs, taught, renderer.tokenizer, chosen=taught.representation)


def parts(renderer: Renderer, found: Examples, index: int = 0) -> tuple[str, str]:
    """What is read and what is trained of an example."""
    tokens = found.source.tokens(index, 0)
    decode = renderer.tokenizer.decode
    return decode(tokens.ids[~tokens.trained].tolist()), decode(tokens.ids[tokens.trained].tolist())


@pytest.mark.parametrize("name", ["BS_P", "TEXTWRULE", "OD_P", "CR_P", "INSTRUCTIONWFK", "CBR"])
def test_the_prompt_is_the_published_one_and_the_answer_the_rest_of_the_query(
    renderer: Renderer, shop: Path, name: str
) -> None:
    """In one line, otherwise as it stands: neither the alias nor the semicolon is touched."""
    found = examples(renderer, shop, [HOW_MANY, WHO], prompt=name)
    chosen, facts = representation(name), read_facts(shop)
    assert parts(renderer, found, 0) == (
        chosen.prompt(facts, HOW_MANY[0]),
        "count(*) FROM shop AS T1<end>",
    )
    assert parts(renderer, found, 1) == (
        chosen.prompt(facts, WHO[0]),
        "name FROM shop WHERE city_id = 1;<end>",
    )


def test_foreign_keys_and_rule_are_those_of_the_recipe(renderer: Renderer, shop: Path) -> None:
    settings = {"prompt": "AS_P", "foreign_keys": True, "rule": True}
    prompt, _ = parts(renderer, examples(renderer, shop, [HOW_MANY], **settings))
    assert "Foreign Keys:shop.city_id=city.None\n" in prompt
    assert 'with no explanation to answer the question "How many shops are there?"' in prompt


def test_one_style_is_there_for_those_who_want_it(renderer: Renderer, shop: Path) -> None:
    found = examples(renderer, shop, [HOW_MANY], normalize=True)
    assert parts(renderer, found)[1] == "COUNT(*) FROM shop<end>"


def test_pairs_of_many_databases_are_shown_their_own(renderer: Renderer, tmp_path: Path) -> None:
    """Examples of one database share its tables as a prefix, those of two do not."""
    folder = tmp_path / "databases"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        write_shop(folder / name / f"{name}.sqlite")
    (folder / "two" / "two.sqlite").unlink()
    shutil.copy(write_other(tmp_path / "other.db"), folder / "two" / "two.sqlite")
    rows = [(*HOW_MANY, "one"), (*WHO, "one"), ("How many?", "SELECT count(*) FROM staff", "two")]
    found = examples(renderer, folder, rows)
    assert "CREATE TABLE shop" in parts(renderer, found, 0)[0]
    assert "CREATE TABLE staff" in parts(renderer, found, 2)[0]
    first, second, other = (found.source.tokens(index, 0) for index in range(3))
    assert first.prefix == second.prefix > 100
    assert first.ids[: first.prefix].tolist() == second.ids[: first.prefix].tolist()
    assert other.prefix != first.prefix
    assert found.shared_prefixes


def test_what_cannot_be_taught_is_left_out_and_counted(renderer: Renderer, shop: Path) -> None:
    """Nothing is cut: a query that is too long would teach to stop in the middle."""
    long = ("Which?", "SELECT name FROM shop WHERE " + " OR ".join(["id = 1"] * 60))
    with_first = ("Which?", "WITH a AS (SELECT 1) SELECT * FROM a")
    found = examples(renderer, shop, [HOW_MANY, with_first, long], max_length=600)
    assert len(found.source) == 1
    assert "3 pairs of question and SQL in CR_P" in found.notes[0]
    assert found.notes[1].startswith("2 of them left out (67%): pairs.jsonl:2: the prompt ends")
    assert "pairs.jsonl:3: has 8" in found.notes[1]


def test_how_many_see_a_part_of_the_schema_is_said(renderer: Renderer, shop: Path) -> None:
    """One letter more than the others, so that CREATE TABLE of the shop goes."""
    whole = examples(renderer, shop, [HOW_MANY])
    room = int((~whole.source.tokens(0, 0).trained).sum())
    rows = [HOW_MANY, (HOW_MANY[0] + "!", HOW_MANY[1])]
    found = examples(renderer, shop, rows, max_length=room * 4 // 3)
    assert prompt_room(room * 4 // 3) == room
    assert "CREATE TABLE city" in parts(renderer, found, 0)[0]
    assert "CREATE TABLE city" not in parts(renderer, found, 1)[0]
    assert found.source.tokens(0, 0).prefix > found.source.tokens(1, 0).prefix == 0
    assert found.notes[1] == f"1 of them with a part of their schema, to fit {room} tokens"


def test_if_none_is_left_the_first_reason_is_said(renderer: Renderer, shop: Path) -> None:
    with pytest.raises(
        DataError, match=r"pairs\.jsonl: no pair can be put in prompt=CR_P; .* fit"
    ) as raised:
        examples(renderer, shop, [HOW_MANY], max_length=64)
    assert "fit into max_length=64" in str(raised.value)


def write_other(path: Path) -> Path:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    return path
