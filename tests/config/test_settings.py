"""What is said about a recipe's settings, and how a recipe is written out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from luciola.config import as_mapping, describe, load, to_yaml
from luciola.config.names import ELSEWHERE
from luciola.config.sft import DataSource, SftConfig
from luciola.config.training import LoraConfig
from luciola.errors import ConfigError

SETTINGS = {setting.name: setting for setting in describe(SftConfig)}


def test_every_setting_has_help() -> None:
    assert [name for name, setting in SETTINGS.items() if not setting.help] == []


def test_every_field_is_described_and_what_must_be_given_comes_first() -> None:
    names = list(dict.fromkeys(name.partition(".")[0] for name in SETTINGS))
    assert sorted(names) == sorted(field.name for field in fields(SftConfig))
    assert {name for name in names[:2] if SETTINGS[name].required} == {"model", "data"}


def test_a_setting_tells_its_type_default_and_help() -> None:
    rank = SETTINGS["lora.r"]
    assert (rank.type_text, rank.default) == ("a whole number, at least 1", 16)
    assert rank.help == "Rank of the update."
    assert SETTINGS["schedule"].choices == ("cosine", "linear", "constant")
    assert SETTINGS["model"].required
    assert not SETTINGS["eval_data"].required


def test_blank_lines_in_the_source_make_groups() -> None:
    assert SETTINGS["lora.r"].group == SETTINGS["adapter"].group
    assert SETTINGS["lr"].group == SETTINGS["schedule"].group != SETTINGS["epochs"].group


def test_describing_and_direct_construction_need_no_heavy_package() -> None:
    code = (
        "import sys; from luciola.config import describe; from luciola.config.sft import *;"
        "describe(SftConfig); SftConfig(model='m', data=(DataSource('d'),));"
        "print([n for n in ('pydantic', 'torch', 'yaml', 'rich', 'typer') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_recipe_made_in_python_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^lora.r must be at least 1, got 0"):
        SftConfig(model="m", data=(DataSource("d"),), lora=LoraConfig(r=0))
    with pytest.raises(ConfigError, match=r"^lr must be at least 0, got 'fast'"):
        SftConfig(model="m", data=(DataSource("d"),), lr="fast")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="eval_fraction and eval_data are both given"):
        SftConfig(
            model="m", data=(DataSource("d"),), eval_data=(DataSource("e"),), eval_fraction=0.1
        )


def test_a_written_recipe_reads_back_equal(tmp_path: Path) -> None:
    config = load(
        SftConfig,
        None,
        ["model=123", "data=[a, b@0.5]", r'system="say: \"no\"\n# ünï"', "lr=1e-7", "track=wandb"],
    )
    config = replace(config, lora=LoraConfig(targets=("q_proj", "yes")), template="off")
    path = tmp_path / "recipe.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load(SftConfig, path) == config


def test_a_written_recipe_explains_every_setting() -> None:
    text = to_yaml(load(SftConfig, None, ["model=m", "data=d"]))
    missing = [s.name for s in SETTINGS.values() if f"# {s.help}" not in text]
    assert missing == []
    assert "  # Rank of the update.\n  r: 16\n" in text
    assert "# How the learning rate changes after the warm-up. [cosine | linear | constant]" in text


def test_a_recipe_as_a_mapping_is_plain() -> None:
    mapping = as_mapping(load(SftConfig, None, ["model=m", "data=d@2"]))
    assert mapping["data"] == [{"path": "d", "weight": 2.0}]
    assert mapping["betas"] == [0.9, 0.999]
    assert mapping["lora"]["targets"] == []


def test_names_from_elsewhere_lead_to_settings_that_exist() -> None:
    known = set(SETTINGS) | {name.partition(".")[0] for name in SETTINGS}
    assert set(ELSEWHERE.values()) <= known
    assert not set(ELSEWHERE) & known
