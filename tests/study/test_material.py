"""Which questions a study asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.config.study import StudyConfig
from luciola.errors import DataError
from luciola.specialist.study.material import read_material, sample

LEVELS = ["easy"] * 24 + ["medium"] * 45 + ["hard"] * 17 + ["extra"] * 14


def test_a_sample_keeps_the_shares_of_the_levels() -> None:
    """Of 20: 4.8 easy, 9 medium, 3.4 hard, 2.8 extra; the largest remainders round up."""
    places = sample(LEVELS, 20, seed=3)
    assert Counter(LEVELS[place] for place in places) == {
        "easy": 5,
        "medium": 9,
        "hard": 3,
        "extra": 3,
    }
    assert places == sorted(set(places))


def test_the_seed_decides_the_sample() -> None:
    assert sample(LEVELS, 20, seed=3) == sample(LEVELS, 20, seed=3) != sample(LEVELS, 20, seed=4)


def test_the_first_questions_or_all_of_them() -> None:
    assert sample(LEVELS, 3, first=True) == [0, 1, 2]
    assert sample(LEVELS, 0) == sample(LEVELS, 500) == list(range(100))


def test_material_has_levels_and_databases(study_of: Callable[..., StudyConfig]) -> None:
    found = read_material(study_of(limit=4, sample="first"))
    assert [asked.question for asked in found.questions][:1] == ["How many keepers are there?"]
    assert found.levels == ("easy", "easy", "easy", "medium")
    assert found.metrics == ("em", "ex")
    assert len(found.pool) == 4
    assert found.databases.facts("zoo").foreign_keys == ("animal.keeper_id=keeper.id",)


def test_exact_match_is_left_out_without_tables(study_of: Callable[..., StudyConfig]) -> None:
    assert read_material(study_of(tables="", databases="", limit=1, grids=[{}])).metrics == (
        "em",
        "ex",
    )
    Path(study_of().tables).unlink()
    assert read_material(study_of(tables="")).metrics == ("ex",)


def test_first_answers_from_a_file_follow_the_sample(
    study_of: Callable[..., StudyConfig], tmp_path: Path
) -> None:
    path = tmp_path / "first.sql"
    path.write_text("".join(f"SELECT {number}\n" for number in range(6)))
    found = read_material(study_of(first_answers=str(path), limit=3, seed=1))
    assert list(found.first) == [f"SELECT {place}" for place in found.places]
    path.write_text("SELECT 1\n")
    with pytest.raises(DataError, match="has 1 predictions for 6 questions"):
        read_material(study_of(first_answers=str(path)))
