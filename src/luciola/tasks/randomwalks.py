"""Random walks: find short ways through a small graph, given only wandering ones.

The benchmark of trlx's examples: 21 nodes named a to u, each with an edge to about a tenth of the
others; node a is the goal. A walk is written as its letters, so that a model of 21 letters learns
to walk, and a reward says how short the way to the goal was. Recipes name the functions here:
`prompts: luciola.tasks.randomwalks:prompts`, `reward: luciola.tasks.randomwalks:optimality`.

Three traps of the original are mended: a graph with a node that cannot reach the goal in time is an
error and not NaN, a walk that begins at the goal is worth 1 and not 1.5, and an unknown first
letter makes a walk worth 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from luciola.errors import ConfigError
from luciola.tasks.walkers import LETTERS, cloned_model, untrained_model

SEED = 1000
"""The graph of the recipes and of trlx's example."""
NODES = 21
EDGE_SHARE = 0.1
WALKS = 1000
LONGEST = 10
"""Letters of a walk at most."""
NEVER = 100.0
"""The length of a walk that is broken or does not arrive."""
GOAL = 0

__all__ = [
    "Graph",
    "cloned_model",
    "eval_prompts",
    "graph",
    "lengths",
    "optimality",
    "prompts",
    "samples",
    "untrained_model",
]


@dataclass(frozen=True)
class Graph:
    """A graph with the walks that were wandered on it.

    Args:
        seed: everything in it follows from this.
        adjacency: (21, 21) bool, True where an edge leads from the row's node to the column's.
        walks: letters of 1,000 walks of at most 10 nodes; they end at the goal.
        shortest: nodes of the shortest way from each letter to the goal, both ends counted.
    """

    seed: int
    adjacency: NDArray[np.bool_]
    walks: tuple[str, ...]
    shortest: dict[str, int]


@cache
def graph(seed: int = SEED) -> Graph:
    """The graph of a seed; the same as trlx makes.

    Raises: ConfigError where a node cannot reach the goal in fewer than 10 nodes: every walk from
        there would be worth the same.
    """
    random = np.random.RandomState(seed)
    adjacency = _adjacency(random)
    walks = tuple(_walk(random, adjacency) for _ in range(WALKS))
    shortest = _shortest(adjacency)
    stuck = [letter for letter in LETTERS if shortest.get(letter, LONGEST) >= LONGEST]
    if stuck:
        raise ConfigError(
            f"the random walks of seed {seed} are no task: from {', '.join(stuck)} the goal cannot "
            f"be reached in fewer than {LONGEST} nodes",
            remedy=f"Take seed {SEED}, or try another one.",
        )
    return Graph(seed, adjacency, walks, shortest)


def prompts(seed: int = SEED) -> list[str]:
    """The letters at which the walks begin, sorted: b to u."""
    return sorted({walk[0] for walk in graph(seed).walks})


def eval_prompts(seed: int = SEED) -> list[str]:
    """Every start five times: what is sampled from each is judged by a mean of 100 walks."""
    return 5 * prompts(seed)


def samples(seed: int = SEED) -> list[dict[str, str | float]]:
    """The walks as logged answers: the first letter, the rest, and how good the way was."""
    walks = graph(seed).walks
    scores = optimality(walks, seed)
    return [
        {"prompt": walk[:1], "output": walk[1:], "reward": score}
        for walk, score in zip(walks, scores, strict=True)
    ]


def optimality(samples: Sequence[str], seed: int = SEED) -> list[float]:
    """(10 - length) / (10 - shortest length) of each walk: 1 for the shortest way, 0 for none."""
    shortest = graph(seed).shortest
    return [
        (LONGEST - min(length, LONGEST)) / (LONGEST - shortest.get(walk[:1], 0))
        for walk, length in zip(samples, lengths(samples, seed), strict=True)
    ]


def lengths(samples: Sequence[str], seed: int = SEED) -> list[float]:
    """Nodes of each walk up to the goal; 100 where it breaks an edge before, or does not arrive
    within 10 nodes.
    """
    adjacency = graph(seed).adjacency
    return [_length(walk, adjacency) for walk in samples]


def _length(walk: str, adjacency: NDArray[np.bool_]) -> float:
    nodes = [LETTERS.find(letter) for letter in walk[:LONGEST]]
    for position, node in enumerate(nodes):
        if node < 0 or (position and not adjacency[nodes[position - 1], node]):
            return NEVER
        if node == GOAL:
            return float(position + 1)
    return NEVER


def _adjacency(random: np.random.RandomState) -> NDArray[np.bool_]:
    """Drawn again until every node leads somewhere; then the goal leads to itself alone."""
    while True:
        adjacency: NDArray[np.bool_] = random.rand(NODES, NODES) > 1 - EDGE_SHARE
        np.fill_diagonal(adjacency, False)
        if adjacency.any(1).all():
            break
    adjacency[GOAL] = np.arange(NODES) == GOAL
    return adjacency


def _walk(random: np.random.RandomState, adjacency: NDArray[np.bool_]) -> str:
    node = GOAL
    while node == GOAL:
        node = random.randint(NODES)
    nodes = [node]
    while node != GOAL and len(nodes) < LONGEST:
        node = random.choice(np.flatnonzero(adjacency[node]))
        nodes.append(node)
    return "".join(LETTERS[node] for node in nodes)


def _shortest(adjacency: NDArray[np.bool_]) -> dict[str, int]:
    """Breadth first from the goal, against the edges."""
    found = {GOAL: 1}
    border = [GOAL]
    while border:
        before = {int(n) for node in border for n in np.flatnonzero(adjacency[:, node])}
        border = sorted(before - found.keys())
        distance = max(found.values()) + 1
        found |= dict.fromkeys(border, distance)
    return {LETTERS[node]: count for node, count in sorted(found.items())}
