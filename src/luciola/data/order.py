"""The order of the data, by address: nothing to save, and the same with every numpy version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from luciola.seeds import seed


def address_hash(*parts: str | int) -> int:
    """63 random bits that follow from the address alone."""
    return seed(*parts)


def noise(n: int, *address: str | int) -> NDArray[np.uint64]:
    """(n,) uint64: 64 random bits per row, each of which follows from (address, row) alone.

    Source: SplitMix64 (Steele, Lea and Flood 2014, https://doi.org/10.1145/2714064.2660195), whose
    output for row r is a mix of start + r · 0x9e3779b97f4a7c15.
    """
    state = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state += np.uint64(address_hash(*address))
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def permutation(n: int, *address: str | int) -> NDArray[np.int64]:
    """(n,) int64: 0 … n-1 in the order that the address gives."""
    return np.argsort(noise(n, *address), kind="stable").astype(np.int64)
