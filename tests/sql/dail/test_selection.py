"""Orders of examples by hand, the original's draws, and speed over a pool of its size."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from luciola.errors import ConfigError
from luciola.sql.dail.selection import (
    SELECTIONS,
    Likeness,
    RandomOrder,
    candidates,
    ranked,
    selection,
)
from luciola.sql.dail.similarity import bm25, euclidean
from luciola.sql.dail.skeleton import jaccard

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
