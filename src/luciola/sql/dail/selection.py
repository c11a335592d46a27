"""Which examples stand before a question: at random, or near it, its SQL, or both (DAIL selection).

    near ▶ first those whose query looks like the expected one (likeness ≥ threshold), then the rest

Each way is a row of `SELECTIONS`. Source: Gao et al. 2023, section 3.2 and 4.2,
https://arxiv.org/abs/2308.15363. The nearest example comes first in the prompt.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from luciola.sql.dail.naming import by_name
from luciola.sql.dail.skeleton import skeleton_words

SCOPE = 100
"""Candidates per shot: the first that fit the budget are shown."""
THRESHOLD = 0.85


@dataclass(frozen=True)
class Selection:
    """What a way of selecting looks at."""

    near: bool = True  # False: drawn at random
    masked: bool = False  # whether the compared questions are masked
    skeleton: str = ""  # "prediction" or "gold": whose skeleton the examples' are compared with
    passes: int = 2  # 1: only those above the threshold
    subtracts: bool = False  # likeness is taken off the distance instead of parting into passes
    farthest: float | None = None  # distance beyond which nothing is chosen
    skips_same: bool = False  # whether the same question in the pool is passed over
    raw_gold: bool = False  # "gold" only: a query is its own skeleton unless it begins with SELECT


SELECTIONS = MappingProxyType(
    {
        "RANDOM": Selection(near=False),
        "COSSIMILAR": Selection(skips_same=True),
        "EUCDISTANCE": Selection(),
        "EUCDISTANCETHRESHOLD": Selection(farthest=0.85),
        "EUCDISQUESTIONMASK": Selection(masked=True),
        "EUCDISPRESKLSIMTHR": Selection(skeleton="prediction"),
        "EUCDISPRESKLSIMPLUS": Selection(skeleton="prediction", subtracts=True),
        "EUCDISSKLSIMTHR": Selection(masked=True, skeleton="gold"),
        "EUCDISMASKPRESKLSIMTHR": Selection(masked=True, skeleton="prediction"),
        "EUCDISMASKPRESKLSIMTHRSHIFT": Selection(masked=True, skeleton="prediction", passes=1),
    }
)
PAPER_NAMES = MappingProxyType(
    {
        "QTS_S": "EUCDISTANCE",
        "MQS_S": "EUCDISQUESTIONMASK",
        "QRS_S": "EUCDISPRESKLSIMTHR",
        "DAIL_S": "EUCDISMASKPRESKLSIMTHR",
        "ORACLE": "EUCDISSKLSIMTHR",
    }
)


def selection(name: str) -> Selection:
    """The selection of that name: the paper's (`DAIL_S`) or the published code's.

    `EUCDISSKLSIMTHR`, the published name of the oracle, also means a defect of that code: a gold
    query that does not begin with SELECT in capitals is compared as it stands, not by its skeleton.
    Where predictions are compared, that code makes a skeleton of every query, and so do we.
    """
    found = by_name("selection", name, SELECTIONS, PAPER_NAMES)
    return replace(found, raw_gold=found.skeleton == "gold" and name.upper() in SELECTIONS)


class Likeness:
    """How like each skeleton of a pool is to a given one: `skeleton.jaccard`, all at once."""

    def __init__(self, skeletons: Sequence[str]) -> None:
        different = list(dict.fromkeys(skeletons))
        place = {text: index for index, text in enumerate(different)}
        self._rows = np.array([place[text] for text in skeletons], dtype=np.intp)
        counts = [Counter(skeleton_words(text)) for text in different]
        self._words = {word: index for index, word in enumerate(sorted(set().union(*counts)))}
        self._counts = np.zeros((len(different), len(self._words)), dtype=np.int16)
        for row, found in zip(self._counts, counts, strict=True):
            row[[self._words[word] for word in found]] = list(found.values())
        self._lengths = self._counts.sum(axis=1, dtype=np.int64)
        self._known: dict[str, NDArray[np.float64]] = {}

    def to(self, skeleton: str) -> NDArray[np.float64]:
        """(N,) likeness of every example of the pool, 0 to 1."""
        if skeleton not in self._known:
            self._known[skeleton] = self._compare(skeleton)
        return self._known[skeleton][self._rows]

    def _compare(self, skeleton: str) -> NDArray[np.float64]:
        found = Counter(skeleton_words(skeleton))
        words = [word for word in found if word in self._words]
        columns = self._counts[:, [self._words[word] for word in words]]
        shared = np.minimum(columns, [found[word] for word in words]).sum(axis=1, dtype=np.int64)
        return np.asarray(shared / (self._lengths + found.total() - shared))


def ranked(
    way: Selection,
    distances: NDArray[np.float32],
    likeness: NDArray[np.float64] | None = None,
    *,
    threshold: float = THRESHOLD,
) -> NDArray[np.intp]:
    """The pool in order of preference; what stands first in it wins a tie.

    Args:
        distances: (N,) from the target to every example.
        likeness: (N,) of their skeletons to the expected one; None: distance alone decides.
    """
    if likeness is not None and way.subtracts:
        return np.argsort(distances - likeness, kind="stable")
    order = np.argsort(distances, kind="stable")
    if way.farthest is not None:
        order = order[distances[order] <= way.farthest]
    if likeness is None:
        return order
    alike = likeness[order] >= threshold
    return order[alike] if way.passes == 1 else np.concatenate([order[alike], order[~alike]])


class RandomOrder:
    """The original's draws: one generator, seeded once, asked for every target in file order."""

    def __init__(self, size: int, shots: int, *, seed: int = 0) -> None:
        self._generator = random.Random(seed)
        self._size = size
        self._count = min(size, shots * SCOPE)  # the original fails where the pool is smaller

    def next(self) -> list[int]:
        """The candidates of the next target."""
        return self._generator.sample(range(self._size), self._count)


def candidates(
    order: Sequence[int] | NDArray[np.intp],
    excluded: frozenset[int] | set[int] = frozenset(),
    *,
    shots: int,
) -> Iterator[int]:
    """At most `shots` times 100 of `order`, without those excluded."""
    allowed = (int(index) for index in order if int(index) not in excluded)
    return islice(allowed, shots * SCOPE)
