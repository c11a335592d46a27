"""Examples that begin with the same tokens, for trees that compute these once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luciola.types import Tokens


@dataclass(frozen=True)
class Group:
    """Samples (ascending) whose first `prefix_length` tokens are the same; 0: one sample."""

    prefix_length: int
    members: tuple[int, ...]


def shared_prefixes(samples: Sequence[Tokens], minimum: int = 16) -> list[Group]:
    """Every sample in exactly one group: with those that begin with the same prefix, or alone.

    Compared are the tokens themselves, not their hashes, in one pass.

    Args:
        samples: rendered examples; `Tokens.prefix` says how many leading tokens may be shared.
        minimum: shorter prefixes are not worth a branch, in tokens.

    Returns: groups in the order of their first members.
    """
    found: dict[bytes | int, list[int]] = {}
    for index, sample in enumerate(samples):
        shares = minimum <= sample.prefix < len(sample)
        key = sample.ids[: sample.prefix].tobytes() if shares else index
        found.setdefault(key, []).append(index)
    return [
        Group(samples[members[0]].prefix if len(members) > 1 else 0, tuple(members))
        for members in found.values()
    ]
