"""Every recipe of the repository loads, and the page about recipes shows what works."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from luciola.cli.settings import split_words
from luciola.config import from_mapping, load
from luciola.config.sft import SftConfig

ROOT = Path(__file__).parents[2]
CLASSES = {
    "reviews/sentiment-cpu": ("luciola.config.preference", "RewardConfig"),
    "reviews/sentiment": ("luciola.config.preference", "RewardConfig"),
    "reviews": ("luciola.config.online", "PpoConfig"),
    "sft": ("luciola.config.sft", "SftConfig"),
    "text2sql": ("luciola.config.sql", "SqlConfig"),
    "text2sql/ablation": ("luciola.config.study", "StudyConfig"),
    "preference/reward": ("luciola.config.preference", "RewardConfig"),
    "preference/dpo": ("luciola.config.preference", "DpoConfig"),
    "randomwalks": ("luciola.config.online", "PpoConfig"),
    "randomwalks/ilql": ("luciola.config.ilql", "IlqlConfig"),
}
"""The recipe class of each folder of recipes, or of FOLDER/RECIPE where they differ."""
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^luciola train sft (.*?)(?:  |$)", PAGE, re.MULTILINE)


def test_the_page_has_examples_to_check() -> None:
    assert "```yaml" in PAGE
    assert len(COMMANDS) >= 3


def test_the_recipe_on_the_page_loads() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    config = from_mapping(SftConfig, yaml.safe_load(block))
    assert config.lr == 0.0002
    assert [source.weight for source in config.data] == [1.0, 0.5]


@pytest.mark.parametrize(
    "line", re.findall(r"^luciola train sft (.*?)(?:  |$)", PAGE, re.MULTILINE)
)
def test_the_commands_on_the_page_are_understood(line: str) -> None:
    words = [word for word in shlex.split(line) if not word.startswith("--")]
    _, settings = split_words(words)
    if words:
        load(SftConfig, None, ["model=m", "data=d", *settings])


@pytest.mark.parametrize("setting", re.findall(r"`([a-z_.]+=[^`…]+)`", PAGE))
def test_the_settings_on_the_page_are_understood(setting: str) -> None:
    (word,) = shlex.split(setting) if "[" not in setting else [setting]
    load(SftConfig, None, ["model=m", "data=d", word])


def test_every_recipe_of_the_repository_loads() -> None:
    for path in sorted((ROOT / "recipes").rglob("*.yaml")):
        folder = path.parent.name
        module, name = CLASSES.get(f"{folder}/{path.stem}") or CLASSES[folder]
        load(getattr(import_module(module), name), path)
