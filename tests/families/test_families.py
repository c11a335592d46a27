"""A tiny random model of every family of causal language models that transformers has, through
everything that luciola does with a model.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from families.expectations import LIMITS
from families.stages import examine
from families.tiny_models import FAMILIES

PACKED = {"llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "mixtral", "gpt_oss", "gpt2"}
"""Families that must be able to train on packed rows: those that most people bring."""


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_loads_trains_saves_merges_and_answers(family: str, tmp_path: Path) -> None:
    """Loaded equals saved, padding is not seen, the loss falls in full and by LoRA, adapters come
    back and come off, merged equals unmerged, greedy answers are those of transformers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of families that nobody here maintains
        outcome = examine(family, tmp_path)
    if family in LIMITS:
        limit = LIMITS[family]
        assert outcome.failed, f"{family} works now: take it out of LIMITS"
        assert outcome.failed == limit.stage, f"{family} stops at another stage: {outcome.reason}"
        pytest.xfail(limit.reason)
    assert not outcome.failed, f"{outcome.failed}: {outcome.reason}"
    if family in PACKED:
        assert outcome.packed, f"{family} no longer trains on packed rows"
        assert outcome.tree, f"{family} no longer trains on trees"


def test_every_limit_is_of_a_family_that_is_there() -> None:
    """A family that transformers drops leaves the table too."""
    assert set(LIMITS) <= set(FAMILIES)
