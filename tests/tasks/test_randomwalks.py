"""The random walks are those of trlx, without its traps."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest

from luciola.errors import ConfigError
from luciola.tasks import randomwalks
from reference_values import BESIDE, OWN, Source

WALKS = BESIDE / "data" / "randomwalks" / "graph_seed1000.json"


def digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def test_the_graph_of_seed_1000_is_the_one_of_the_benchmark() -> None:
    """By hashes of trlx's own edges and walks, and edge by edge where the graph lies beside."""
    expected = Source(OWN)("rl/randomwalks")
    graph = randomwalks.graph(1000)
    assert digest(graph.adjacency.astype(int).tolist()) == expected["adjacency_sha256"]
    assert digest(list(graph.walks)) == expected["walks_sha256"]
    assert randomwalks.prompts() == expected["prompts"]
    if WALKS.exists():
        known = json.loads(WALKS.read_text(encoding="utf-8"))
        assert graph.adjacency.astype(int).tolist() == known["adjacency"]
        assert list(graph.walks) == known["walks"]
        assert graph.shortest == {"a": 1} | known["shortest_node_count"]
        assert randomwalks.prompts() == known["eval_prompts"]


def test_lengths_and_optimality_are_those_of_the_benchmark() -> None:
    known = [Source(OWN)("rl/randomwalks")]
    if (BESIDE / "goldens").exists():
        beside = Source(BESIDE / "goldens")("rl/randomwalks_metric")
        first = beside["first_walks"]
        known += [beside["metric_probe"], {
            "samples": first["walks"], "lengths": first["walk_lengths"],
            "optimality": first["walk_optimality"],
        }]  # fmt: skip
    for case in known:
        assert randomwalks.lengths(case["samples"]) == case["lengths"]
        found = randomwalks.optimality(case["samples"])
        assert found == pytest.approx(case["optimality"], abs=1e-6)


def test_a_walk_is_worth_its_length_against_the_shortest() -> None:
    """From b the shortest way has 3 nodes (bda); bjna has 4: (10 - 4) / (10 - 3). Edges: b to d, j
    and u; j to n; n to a and b; d to a, l and t.
    """
    walks = ["bda", "bjna", "bjnbda", "bna", "bjn", "bdaxyz"]
    assert randomwalks.lengths(walks) == [3, 4, 6, 100, 100, 3]
    assert randomwalks.optimality(walks) == pytest.approx([1, 6 / 7, 4 / 7, 0, 0, 1])


@pytest.mark.parametrize("walk", ["", "zda", "bzda", "B", "b da", "bdlbdlbdlbda"])
def test_what_is_no_walk_within_ten_nodes_is_worth_nothing(walk: str) -> None:
    assert randomwalks.optimality([walk]) == [0.0]


def test_a_walk_that_begins_at_the_goal_is_worth_one() -> None:
    """The original gives 1.5."""
    assert randomwalks.optimality(["a", "abc"]) == [1.0, 1.0]


@pytest.mark.parametrize("seed", [1001, 1003])
def test_a_graph_on_which_the_goal_is_out_of_reach_is_refused(seed: int) -> None:
    """The original gives NaN."""
    with pytest.raises(ConfigError, match=rf"seed {seed} .* from b, .* cannot be reached"):
        randomwalks.graph(seed)


def test_every_walk_follows_edges_to_the_goal_or_for_ten_nodes() -> None:
    for seed in (1000, 1002):
        graph = randomwalks.graph(seed)
        assert len(graph.walks) == 1000
        for walk in graph.walks:
            numbers = [ord(letter) - ord("a") for letter in walk]
            assert all(graph.adjacency[a, b] for a, b in pairwise(numbers))
            assert walk[-1] == "a" or len(walk) == 10
            assert "a" not in walk[:-1]


def test_samples_are_logged_answers_with_their_optimality() -> None:
    rows = randomwalks.samples()
    assert [f"{row['prompt']}{row['output']}" for row in rows] == list(randomwalks.graph().walks)
    assert all(len(str(row["prompt"])) == 1 for row in rows)
    by_walk = {f"{row['prompt']}{row['output']}": row["reward"] for row in rows}
    assert by_walk["sda"] == 1.0
    assert by_walk["bjna"] == pytest.approx(6 / 7)
