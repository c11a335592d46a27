"""What a specialist remembers of how it was taught."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from luciola.config.load import load
from luciola.config.sql import PUBLISHED_NAMES, REPRESENTATIONS, SqlConfig
from luciola.errors import ConfigError, ModelError
from luciola.specialist.expertise import FILE, Expertise, check_representation, specialists
from luciola.sql.dail.representation import representation


def test_it_is_read_as_it_was_saved_and_a_stranger_has_the_defaults(tmp_path: Path) -> None:
    taught = Expertise(database="shop.db", mentions=False, types=True)
    taught.save(tmp_path)
    assert Expertise.load(str(tmp_path)) == taught
    assert Expertise.load("owner/name") == Expertise()


def test_the_folder_of_a_run_is_its_model(tmp_path: Path) -> None:
    """Whoever names `runs/NAME` means `runs/NAME/model`, and asks it as it was taught."""
    taught = Expertise(prompt="TR_P", foreign_keys=True, rule=False)
    (tmp_path / "model").mkdir()
    taught.save(tmp_path / "model")
    assert Expertise.load(str(tmp_path)) == taught


def recipe(*settings: str) -> SqlConfig:
    return load(SqlConfig, None, ["model=m", "database=d", "pairs=p", *settings])


@pytest.mark.parametrize("name", [*REPRESENTATIONS, *PUBLISHED_NAMES])
def test_a_representation_is_remembered_with_its_keys_and_its_rule(
    tmp_path: Path, name: str
) -> None:
    """Spelled out, so that it stays what it was if a name should ever mean something else."""
    config = recipe(f"prompt={name}", "chat=true", "strip_suffix=true")
    taught = Expertise.of(config, database="shop.db", room=300)
    taught.save(tmp_path)
    known = Expertise.load(str(tmp_path))
    assert known == taught
    assert known.representation == representation(name)
    assert (known.chat, known.strip_suffix, known.room) == (True, True, 300)
    assert None not in (known.foreign_keys, known.rule)


def test_what_the_recipe_says_of_keys_and_rule_counts() -> None:
    config = recipe("prompt=OD_P", "foreign_keys=true", "rule=false")
    chosen = Expertise.of(config, database="", room=0).representation
    assert chosen == representation("OD_P", foreign_keys=True, rule=False)


def test_a_prompt_of_our_own_has_no_representation() -> None:
    taught = Expertise.of(recipe("types=true"), database="shop.db", room=300)
    assert taught == Expertise("shop.db", types=True)
    assert taught.representation is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["prompt=CR_P", "foreign_keys=false"], "CR_P shows foreign keys in its CREATE TABLE"),
        (["prompt=BS_P", "rule=true"], "BS_P has no wording 'rule'"),
    ],
)
def test_a_combination_that_does_not_exist_is_refused_in_the_recipes_words(
    settings: list[str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        check_representation(recipe(*settings))
    assert "Leave foreign_keys and rule out" in str(raised.value)
    check_representation(recipe())


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    for text in ('{"odd": 1}', '{"prompt": "XY_P"}', '{"prompt": 1}', "[]"):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(ModelError, match=r"specialist\.json cannot be read"):
            Expertise.load(str(tmp_path))


def test_the_newest_specialist_on_a_database_comes_first() -> None:
    """However its path is written, and never one that was taught about another."""
    trained = {"old": "shop.db", "new": str(Path("shop.db").absolute()), "other": "staff.db"}
    for age, (name, database) in enumerate(trained.items()):
        folder = Path("runs", name, "model")
        folder.mkdir(parents=True)
        Expertise(database=database).save(folder)
        os.utime(folder / FILE, (1000 + age, 1000 + age))
    assert specialists("./shop.db") == [Path("runs/new/model"), Path("runs/old/model")]
    assert specialists("nothing.db") == []
