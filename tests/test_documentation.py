"""The pages name only what exists, and their commands are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from luciola.cli.settings import split_words
from luciola.cli.sql import _named_database
from luciola.config import load
from luciola.config.ilql import IlqlConfig
from luciola.config.online import A2cConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.config.preference import DpoConfig, RewardConfig
from luciola.config.sft import SftConfig
from luciola.config.sql import SqlConfig

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXTS.values())


def commands(verb: str) -> list[str]:
    """What follows `luciola VERB` on a line of its own, without the remark beside it."""
    found = re.findall(rf"^(?:\$ )?luciola {verb} (.+)$", EVERYTHING, re.MULTILINE)
    return sorted({re.split(r"\s{2,}", line)[0] for line in found if "--help" not in line})


def anchor(heading: str) -> str:
    """What a page shows a heading under: no punctuation, hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page.name]):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        path = page.parent / file if file else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {anchor(text) for text in headings}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_files_that_a_page_names_exist(page: Path) -> None:
    for name in re.findall(r"`([\w/.-]+/[\w/.-]+\.(?:py|sh|yaml))`", TEXTS[page.name]):
        places = [ROOT / name, ROOT / "src" / "luciola" / name, ROOT / "docs" / name]
        assert any(place.exists() for place in places), name


def test_no_page_names_a_place_of_one_machine() -> None:
    assert not re.findall(r"(?:^|[\s(`\"'])/(?:home|root|tmp|work|mnt)/", EVERYTHING)


@pytest.mark.parametrize("line", commands(r"\w+"))
def test_a_shell_takes_a_command_for_what_it_says(line: str) -> None:
    """No `<`, `>`, `|`, `&` or `;` without quotes, which a shell would act on."""
    words = shlex.shlex(line, posix=True, punctuation_chars="<>|&;")
    words.whitespace_split = True
    assert not [word for word in words if set(word) <= set("<>|&;")]


def test_there_are_commands_to_check() -> None:
    assert len(commands("train sft")) >= 5
    assert len(commands("sql train")) >= 3


ONLINE = {"ppo": PpoConfig, "a2c": A2cConfig, "grpo": GrpoConfig, "rloo": RlooConfig}


@pytest.mark.parametrize(
    ("method", "line"),
    [(method, line) for method in ONLINE for line in commands(f"train {method}")],
)
def test_commands_of_online_methods_are_understood(method: str, line: str) -> None:
    words = [word for word in shlex.split(line) if not word.startswith("-") and word != "…"]
    recipes = [ROOT / word for word in words if word.endswith(".yaml") and "/" in word]
    assert all(recipe.is_file() for recipe in recipes)
    given = ["model=m", "prompts=p", "reward=r.py:f"] if not recipes else []
    settings = [word for word in words if "=" in word]
    load(ONLINE[method], recipes[0] if recipes else None, [*given, *settings])


@pytest.mark.parametrize("line", commands("train sft"))
def test_fine_tuning_commands_are_understood(line: str) -> None:
    words = [word for word in shlex.split(line, comments=True) if not word.startswith("--")]
    settings = [word for word in words if not word.endswith(".yaml")]
    load(SftConfig, None, ["model=m", "data=d", *split_words(settings)[1]])


OFFLINE = [("reward", RewardConfig), ("dpo", DpoConfig), ("ilql", IlqlConfig)]


@pytest.mark.parametrize(("method", "recipe_class"), OFFLINE)
def test_commands_over_comparisons_and_logged_answers_are_understood(
    method: str, recipe_class: type
) -> None:
    lines = commands(f"train {method}")
    assert len(lines) >= 2
    for line in lines:
        words = [word for word in shlex.split(line, comments=True) if not word.startswith("--")]
        recipes = [ROOT / word for word in words if word.endswith(".yaml")]
        settings = [word for word in words if not word.endswith(".yaml")]
        given = ["model=m", "data=d", *split_words(settings)[1]]
        load(recipe_class, recipes[0] if recipes else None, given)


@pytest.mark.parametrize("line", commands("sql train"))
def test_specialist_commands_are_understood(line: str) -> None:
    line = re.sub(r"--pairs (\S+)", r"pairs=\1", line)
    words = [word for word in shlex.split(line, comments=True) if not word.startswith("--")]
    if words[0].endswith(".yaml"):
        assert (ROOT / words[0]).is_file()
        words = words[1:]
    settings = split_words(_named_database(words))[1] if words else []
    load(SqlConfig, None, ["model=m", "database=d", "pairs=p", *settings])
