"""Orders of examples by hand, the original's draws, and speed over a pool of its size."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from luciola.errors import ConfigError
from luciola.sql.dail.databases import Databases
from luciola.sql.dail.organization import organization
from luciola.sql.dail.prompting import FewShot, choose
from luciola.sql.dail.selection import (
    SELECTIONS,
    THRESHOLD,
    Likeness,
    RandomOrder,
    candidates,
    ranked,
    selection,
)
from luciola.sql.dail.similarity import bm25, euclidean
from luciola.sql.dail.skeleton import jaccard
from luciola.sql.question import Question

DISTANCES = np.array([0.3, 0.1, 0.2, 0.1, 0.9], dtype=np.float32)
LIKENESS = np.array([0.9, 0.2, 0.85, 0.849, 1.0])


def order(name: str, threshold: float = 0.85) -> list[int]:
    way = selection(name)
    return ranked(way, DISTANCES, LIKENESS if way.skeleton else None, threshold=threshold).tolist()


def test_the_nearest_comes_first_and_ties_keep_the_pools_order() -> None:
    assert order("MQS_S") == [1, 3, 2, 0, 4]


def test_two_passes_put_the_alike_first_each_part_by_distance() -> None:
    assert order("DAIL_S") == [2, 0, 4, 1, 3]
    assert order("DAIL_S", threshold=0.95) == [4, 1, 3, 2, 0]


def test_one_pass_leaves_the_others_out() -> None:
    assert order("EUCDISMASKPRESKLSIMTHRSHIFT") == [2, 0, 4]


def test_beyond_the_farthest_nothing_is_chosen() -> None:
    assert order("EUCDISTANCETHRESHOLD") == [1, 3, 2, 0]


def test_what_is_just_as_far_as_the_farthest_is_chosen() -> None:
    way = replace(selection("EUCDISTANCETHRESHOLD"), farthest=0.5)
    assert ranked(way, np.array([0.5, 0.75, 0.25], dtype=np.float32)).tolist() == [2, 0]


def test_likeness_taken_off_the_distance() -> None:
    """Distance - likeness: -0.6, -0.1, -0.65, -0.749, -0.1."""
    assert order("EUCDISPRESKLSIMPLUS") == [3, 2, 0, 4, 1]


def test_draws_are_those_of_one_generator_seeded_with_0() -> None:
    drawn = RandomOrder(1000, 2)
    generator = random.Random(0)
    for _ in range(3):
        assert drawn.next() == generator.sample(range(1000), 200)


def test_a_pool_smaller_than_asked_for_is_drawn_whole() -> None:
    assert sorted(RandomOrder(7, 1).next()) == list(range(7))


def test_candidates_are_a_hundred_per_shot_without_those_excluded() -> None:
    assert list(candidates(range(500), {0, 2}, shots=1)) == [1, *range(3, 102)]


def test_likeness_of_all_equals_that_of_each() -> None:
    skeletons = ["select _ from _", "select _ from _ where _", "", "select _ from _"]
    likeness = Likeness(skeletons)
    for wanted in ("select _ from _ limit _", "nothing shared", "_ _ _ _"):
        assert likeness.to(wanted).tolist() == [jaccard(one, wanted) for one in skeletons]


def test_euclidean_distances_are_those_of_numpy() -> None:
    generator = np.random.default_rng(0)
    targets = generator.normal(size=(3, 8)).astype(np.float32)
    pool = generator.normal(size=(5, 8)).astype(np.float32)
    expected = np.linalg.norm(targets[:, None] - pool[None], axis=2)
    np.testing.assert_allclose(euclidean(targets, pool), expected, atol=1e-5)


def test_words_decide_without_a_model() -> None:
    pool = ["how many dogs", "list every cat", "how many big dogs", "list every cat"]
    distances = bm25(["how many dogs", "zebra"], pool)
    assert distances[0].argsort(kind="stable").tolist() == [0, 2, 1, 3]
    assert distances[0, 0] == pytest.approx(0, abs=0.05)
    assert distances[0, 1] == distances[0, 3] == 1
    assert distances[1].tolist() == [1, 1, 1, 1]


def test_rare_words_weigh_more_than_common_ones() -> None:
    pool = ["what is the dog", "what is the cat", "what is the sun", "a cat"]
    distances = bm25(["what is a cat"], pool)[0]
    assert distances[1] < distances[0]
    assert distances[3] < distances[0]


def test_of_two_texts_with_the_same_words_asked_for_the_shorter_is_nearer() -> None:
    distances = bm25(["red cat"], ["a red cat that sleeps on the mat", "a red cat", "sun"])[0]
    assert distances[1] < distances[0] < distances[2]


def test_an_unknown_selection_is_refused() -> None:
    with pytest.raises(ConfigError, match="no selection 'NEAREST'") as caught:
        selection("NEAREST")
    assert str(caught.value.remedy).count("RANDOM") == 1


def test_the_original_selections_are_all_there() -> None:
    assert len(SELECTIONS) == 10


def test_what_each_selection_looks_at() -> None:
    """The published names: whether questions are masked, and whose skeletons are compared."""
    assert THRESHOLD == 0.85
    looked_at = {name: (way.masked, way.skeleton) for name, way in SELECTIONS.items() if way.near}
    assert looked_at == {
        "COSSIMILAR": (False, ""),
        "EUCDISTANCE": (False, ""),
        "EUCDISTANCETHRESHOLD": (False, ""),
        "EUCDISQUESTIONMASK": (True, ""),
        "EUCDISPRESKLSIMTHR": (False, "prediction"),
        "EUCDISPRESKLSIMPLUS": (False, "prediction"),
        "EUCDISSKLSIMTHR": (True, "gold"),
        "EUCDISMASKPRESKLSIMTHR": (True, "prediction"),
        "EUCDISMASKPRESKLSIMTHRSHIFT": (True, "prediction"),
    }


def test_the_papers_names_are_those_selections_without_their_defect() -> None:
    published = {
        "QTS_S": "EUCDISTANCE",
        "MQS_S": "EUCDISQUESTIONMASK",
        "QRS_S": "EUCDISPRESKLSIMTHR",
        "DAIL_S": "EUCDISMASKPRESKLSIMTHR",
        "ORACLE": "EUCDISSKLSIMTHR",
    }
    for paper, name in published.items():
        assert selection(paper) == SELECTIONS[name]
        assert replace(selection(name), raw_gold=False) == SELECTIONS[name]
    defective = [name for name in SELECTIONS if selection(name).raw_gold]
    assert defective == ["EUCDISSKLSIMTHR"]


@pytest.mark.parametrize(
    ("name", "first"), [("ORACLE", 0), ("EUCDISSKLSIMTHR", 1), ("eucdissklsimthr", 1)]
)
def test_gold_queries_in_lower_case_have_skeletons_but_in_the_original(
    name: str, first: int, tmp_path: Path
) -> None:
    """The target's gold is `select id from shop`: as a skeleton it is like the first example's,
    as it stands only like that of the second, which is the same text.
    """
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE shop (id, city)")
    pool = [
        Question("shop", "far from it", "SELECT city FROM shop"),
        Question("shop", "far from it", "select id from shop"),
    ]
    asked = Question("shop", "which one", "select id from shop")
    way = FewShot(selection(name), organization("DAIL_O"), shots=1)
    (order,) = choose(way, [asked], pool, Databases(tmp_path))
    assert next(order) == first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EUCDISPRESKLSIMTHR", [1, 2, 0, 3]),
        ("EUCDISPRESKLSIMPLUS", [1, 2, 0, 3]),
        ("EUCDISMASKPRESKLSIMTHR", [1, 2, 0, 3]),
        ("EUCDISMASKPRESKLSIMTHRSHIFT", [1, 2]),
        ("DAIL_S", [1, 2, 0, 3]),
    ],
)
def test_where_predictions_are_compared_every_query_of_the_pool_has_a_skeleton(
    name: str, expected: list[int], tmp_path: Path
) -> None:
    """All questions are alike, so that distance is the same for all and the skeletons decide.

    The prediction's is `select _ from _ where _`, 6 words. Likeness of the pool: `select _ from _`
    4/6; the same query in lower case 6/6; it again 6/6; `select count ( _ ) from _` 4/9.
    """
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE shop (id, city)")
    queries = [
        "SELECT city FROM shop",
        "select city from shop where id = 3",
        "SELECT id FROM shop WHERE city  =  'Rome'",
        "SELECT count(city) FROM shop",
    ]
    pool = [Question("shop", "which one", query) for query in queries]
    asked = Question("shop", "which one", "", prediction="select id from shop where city = 'x y'")
    way = FewShot(selection(name), organization("DAIL_O"), shots=1)
    (order,) = choose(way, [asked], pool, Databases(tmp_path))
    assert list(order) == expected


def test_the_published_oracle_compares_texts_at_single_blanks(tmp_path: Path) -> None:
    """`select id from  shop` as it stands has an empty word more than the target, so 4/5 < 0.85;
    the blank before SELECT does not count.
    """
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE shop (id, city)")
    queries = ["select id from  shop", " SELECT id FROM shop", "select id from shop "]
    pool = [Question("shop", "which one", query) for query in queries]
    asked = Question("shop", "which one", "select id from shop")
    way = FewShot(selection("EUCDISSKLSIMTHR"), organization("DAIL_O"), shots=1)
    (order,) = choose(way, [asked], pool, Databases(tmp_path))
    assert list(order) == [2, 0, 1]


def test_the_pools_queries_are_read_only_where_skeletons_are_compared(tmp_path: Path) -> None:
    """`bar` has no database, which only a skeleton would need."""
    pool = [Question("bar", "which one", "SELECT 1")]
    way = FewShot(selection("QTS_S"), organization("DAIL_O"), shots=1)
    (order,) = choose(way, [Question("bar", "which one", "")], pool, Databases(tmp_path))
    assert list(order) == [0]


def test_choosing_from_a_large_pool_is_fast() -> None:
    """50 targets of 8,659 examples; 1,000 may take 30 s, which leaves 1.5 s here."""
    generator = np.random.default_rng(0)
    pool = generator.normal(size=(8659, 384)).astype(np.float32)
    likeness = Likeness([f"select _ from _ {index % 1500}" for index in range(8659)])
    began = time.process_time()
    distances = euclidean(pool[:50], pool)
    for row in range(50):
        found = ranked(selection("DAIL_S"), distances[row], likeness.to(f"select {row}"))
        assert len(list(candidates(found, shots=9))) == 900
    assert time.process_time() - began < 1.5
