"""The recipe of a specialist: which prompts there are, and which settings each of them has."""

from __future__ import annotations

from typing import Any

import pytest

from luciola.config.load import load
from luciola.config.sql import (
    OWN_PROMPTS,
    PUBLISHED_NAMES,
    REPRESENTATIONS,
    THINK_FIRST,
    SqlConfig,
)
from luciola.errors import ConfigError
from luciola.sql.dail.representation import FAMILIES, ORIGINAL_NAMES, STEPS


def recipe(*settings: str) -> SqlConfig:
    return load(SqlConfig, None, ["model=m", "database=d", "pairs=p", *settings])


def test_every_representation_can_be_named() -> None:
    """The recipe may not know the package that writes them, so the names stand in both."""
    assert set(REPRESENTATIONS) == set(FAMILIES)
    thinking = {name for name, (_, _, wording) in ORIGINAL_NAMES.items() if wording == STEPS}
    assert set(THINK_FIRST) == thinking
    assert set(PUBLISHED_NAMES) == set(ORIGINAL_NAMES) - thinking
    for name in (*REPRESENTATIONS, *PUBLISHED_NAMES):
        assert recipe(f"prompt={name}").is_represented
    assert not any(recipe(f"prompt={name}").is_represented for name in OWN_PROMPTS)


def test_switches_are_true_false_or_left_to_the_name() -> None:
    assert recipe("prompt=OD_P").rule == "auto"
    assert recipe("prompt=OD_P", "rule=false").rule is False
    assert recipe("prompt=OD_P", "foreign_keys=true").foreign_keys is True
    with pytest.raises(ConfigError, match="rule must be auto, True or False, got 'maybe'"):
        recipe("prompt=OD_P", "rule=maybe")


@pytest.mark.parametrize(
    ("settings", "normalizes"),
    [
        (["prompt=house"], True),
        (["prompt=CR_P"], False),
        (["prompt=CR_P", "normalize=true"], True),
        (["prompt=house", "normalize=false"], False),
    ],
)
def test_a_representation_takes_the_sql_as_it_stands(settings: list[str], normalizes: bool) -> None:
    assert recipe(*settings).normalizes is normalizes


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["prompt=cr_p"], r"prompt cannot be 'cr_p'(.|\n)*Did you mean CR_P\?"),
        (["prompt=House"], r"Did you mean house\?"),
        (["prompt=SQLRULE"], r"Did you mean SQLWRULE\?"),
        (["prompt=poem"], r"prompt cannot be 'poem'(.|\n)*There are house, copying, BS_P, TR_P"),
        (["prompt=SQLCOT"], r"prompt cannot be SQLCOT: it asks to think first"),
        (["prompt=CR_P", "augment=true"], r"augment needs prompt=copying, and prompt is CR_P"),
        (["prompt=CR_P", "types=true"], r"types is no part of prompt=CR_P"),
        (["prompt=CR_P", "spoken=f.json"], r"spoken is no part of prompt=CR_P"),
        (["foreign_keys=true"], r"foreign_keys is for a representation, and prompt is house"),
        (["rule=false"], r"rule is for a representation"),
        (["prompt=copying", "chat=true"], r"chat is for a representation, and prompt is copying"),
        (["strip_suffix=true"], r"strip_suffix is for a representation"),
    ],
)
def test_what_would_be_passed_over_is_refused(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        recipe(*settings)
    assert raised.match("command line: ")
    assert raised.match(said)


def test_the_recipe_is_checked_in_python_as_well() -> None:
    given: dict[str, Any] = {"model": "m", "database": "d", "pairs": "p", "prompt": "CR"}
    with pytest.raises(ConfigError, match=r"Did you mean CR_P\?"):
        SqlConfig(**given)
