"""How far questions lie from those of a pool: between vectors, or by their words (BM25).

Equal texts get equal distances to the bit, so that ties go to the one that stands first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float32]
"""(targets, pool); the smaller the more alike"""
SATURATION, LENGTH_WEIGHT = 1.5, 0.75


def euclidean(targets: NDArray[np.float32], pool: NDArray[np.float32]) -> Distances:
    """Euclidean distances between the rows of two arrays, (targets, pool).

    Args:
        targets, pool: (n, d) and (N, d). Where rows have length 1 this is the order of the cosine.
    """
    squares = (targets**2).sum(axis=1)[:, None] + (pool**2).sum(axis=1)[None, :]
    squares -= 2 * (targets @ pool.T)
    return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


def bm25(targets: Sequence[str], pool: Sequence[str]) -> Distances:
    """1 minus the BM25 score over the best score a text could have: 0 to 1, no model needed.

    The best score is that of a document which is the target itself. Source: Robertson and Zaragoza
    2009, equation 3.15, k1 = 1.5, b = 0.75, https://doi.org/10.1561/1500000019.
    """
    words = [text.lower().split() for text in pool]
    lengths = np.array([len(found) for found in words], dtype=np.float32)
    mean = max(float(lengths.mean()) if len(lengths) else 1.0, 1.0)
    norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * lengths / mean)
    places, counts = _postings(words)
    weights = {word: _rarity(len(found), len(pool)) for word, found in places.items()}
    distances = np.ones((len(targets), len(pool)), dtype=np.float32)
    for row, text in zip(distances, targets, strict=True):
        asked = Counter(text.lower().split())
        best = 0.0
        own = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * asked.total() / mean)
        score = np.zeros(len(pool), dtype=np.float32)
        for word, times in asked.items():
            weight = times * weights.get(word, _rarity(0, len(pool)))
            best += weight * times * (SATURATION + 1) / (times + own)
            if word in places:
                at, count = places[word], counts[word]
                score[at] += weight * count * (SATURATION + 1) / (count + norm[at])
        if best:
            row -= np.minimum(score / best, 1.0)
    return distances


def _postings(
    words: Sequence[Sequence[str]],
) -> tuple[dict[str, NDArray[np.intp]], dict[str, NDArray[np.float32]]]:
    """For each word the rows that hold it, and how often."""
    places: dict[str, list[int]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(words):
        for word, count in Counter(found).items():
            places[word].append(index)
            counts[word].append(count)
    return (
        {word: np.array(rows, dtype=np.intp) for word, rows in places.items()},
        {word: np.array(rows, dtype=np.float32) for word, rows in counts.items()},
    )


def _rarity(holding: int, total: int) -> float:
    return float(np.log1p((total - holding + 0.5) / (holding + 0.5)))
