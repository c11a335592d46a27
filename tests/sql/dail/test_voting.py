"""Which of several queries is the answer, worked out by hand on a database of three rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luciola.errors import DatabaseError
from luciola.sql.dail.voting import Vote, vote, vote_all, voting_file, voting_sandbox
from luciola.sql.database.sandbox import Sandbox

Decide = Callable[..., Vote]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shops") / "shops.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE shop (id INTEGER, city TEXT);"
        "INSERT INTO shop VALUES (1, 'Bath'), (2, 'York'), (3, 'Bath')"
    )
    connection.close()
    return path


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with voting_sandbox(workers=2, timeout_s=0.3) as sandbox:
        yield sandbox


@pytest.fixture
def decide(database: Path, sandbox: Sandbox) -> Decide:
    return lambda *queries: vote(queries, database, sandbox)


def test_the_result_that_most_queries_share_wins(decide: Decide) -> None:
    """Four queries give 3 (cities are counted without DISTINCT), the first one gives 2."""
    found = decide(
        "SELECT 2",
        "SELECT count(*) FROM shop",
        "SELECT count(DISTINCT city) FROM shop",
        "SELECT max(id) FROM shop",
        "SELECT sum(1.0) FROM shop",
    )
    assert found == Vote("SELECT count(*) FROM shop", votes=4, ran=5, asked=5)


def test_distinct_is_dropped_for_the_vote_and_stays_in_the_answer(decide: Decide) -> None:
    found = decide("SELECT 1", "SELECT DISTINCT city FROM shop", "SELECT city FROM shop")
    assert found == Vote("SELECT DISTINCT city FROM shop", votes=2, ran=3, asked=3)


def test_split_operators_are_joined_and_the_answer_stays_as_written(decide: Decide) -> None:
    found = decide("SELECT 5", "SELECT id FROM shop WHERE id > = 3", "SELECT 3")
    assert found == Vote("SELECT id FROM shop WHERE id > = 3", votes=2, ran=3, asked=3)


def test_the_earliest_of_equally_large_groups_wins(decide: Decide) -> None:
    assert decide("SELECT 7", "SELECT 8", "SELECT 8.0", "SELECT 7.0", "SELECT 9").sql == "SELECT 7"
    assert decide("SELECT 9", "SELECT 8", "SELECT 7").sql == "SELECT 9"


def test_failures_have_no_vote_even_if_most_fail_alike(decide: Decide) -> None:
    found = decide("SELECT no", "SELECT no", "SELECT 1", "SELECT")
    assert found == Vote("SELECT 1", votes=1, ran=1, asked=4)


def test_if_all_fail_the_first_is_the_answer(decide: Decide) -> None:
    assert decide("SELECT a", "SELECT b") == Vote("SELECT a", votes=0, ran=0, asked=2)


def test_the_order_of_rows_does_not_count_and_that_of_columns_neither(decide: Decide) -> None:
    found = decide(
        "SELECT 0",
        "SELECT id, city FROM shop ORDER BY id",
        "SELECT city, id FROM shop ORDER BY id DESC",
    )
    assert found.votes == 2


def test_empty_results_are_equal_whatever_their_columns(decide: Decide) -> None:
    empty = "SELECT id FROM shop WHERE id > 9"
    found = decide("SELECT 1", empty, "SELECT id, city FROM shop WHERE id > 9")
    assert (found.sql, found.votes) == (empty, 2)


def test_a_query_without_end_fails_at_the_time_limit(decide: Decide) -> None:
    began = time.monotonic()
    assert decide(ENDLESS, ENDLESS, "SELECT 1").sql == "SELECT 1"
    assert time.monotonic() - began < 2


def test_writing_is_refused_and_has_no_vote(decide: Decide) -> None:
    assert decide("DELETE FROM shop", "SELECT count(*) FROM shop").votes == 1
    assert decide("SELECT count(*) FROM shop", "SELECT 3").votes == 2


def test_questions_keep_their_order(database: Path, sandbox: Sandbox) -> None:
    queries = [[f"SELECT {number}"] for number in range(20)]
    found = vote_all(queries, [database] * 20, sandbox)
    assert [one.sql for one in found] == [f"SELECT {number}" for number in range(20)]


def test_the_file_named_after_the_database_is_asked_before_others(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for name in ("a.sqlite", "Z.sqlite", "_.sqlite"):
        (folder / name).touch()
    assert voting_file(tmp_path, "a") == folder / "a.sqlite"
    (folder / "a.sqlite").unlink()
    assert voting_file(tmp_path, "a") == folder / "Z.sqlite"
    (tmp_path / "b.sqlite").touch()
    assert voting_file(tmp_path, "b") == tmp_path / "b.sqlite"


@pytest.mark.parametrize("name", ["", "no", "../a", "a/a"])
def test_a_database_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.sqlite").touch()
    with pytest.raises(DatabaseError, match=f"there is no database {name!r}"):
        voting_file(tmp_path / "a" if name.startswith("..") else tmp_path, name)
