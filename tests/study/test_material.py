"""Which questions a study asks."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from luciola.config.study import StudyConfig
from luciola.errors import DataError
from luciola.specialist.study.material import read_material, sample
from luciola.sql.database.hashing import hashes

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
    path.write_text("".join(f"SELECT\t{number}\n" for number in range(6)))
    found = read_material(study_of(first_answers=str(path), limit=1, sample="first"))
    assert found.first == ("SELECT\t0",)
    path.write_text("SELECT 1\n")
    with pytest.raises(DataError, match="has 1 predictions for 6 questions"):
        read_material(study_of(first_answers=str(path)))


def test_hashing_databases_drops_no_lock_of_this_program(
    study_of: Callable[..., StudyConfig],
) -> None:
    """Closing a file would drop this process's locks on it: hashes are taken in another one."""
    found = read_material(study_of())
    file = found.databases.file("zoo")
    content = sha256(file.read_bytes()).hexdigest()
    other = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    )
    with closing(sqlite3.connect(file, isolation_level=None)) as application:
        application.execute("BEGIN IMMEDIATE")
        application.execute("DELETE FROM keeper")
        assert found.contents == (("zoo", content),)
        assert found.pool_contents == ()
        done = subprocess.run([sys.executable, "-c", other, str(file)], capture_output=True)
        assert b"database is locked" in done.stderr
        application.execute("ROLLBACK")


def test_a_file_that_is_not_there_has_no_hash(tmp_path: Path) -> None:
    here, gone = tmp_path / "ä 1.sqlite", tmp_path / "gone.sqlite"
    here.write_bytes(b"x")
    assert hashes([here, gone]) == [sha256(b"x").hexdigest(), ""]
