"""Which prompts share a beginning that is worth computing once.

Prompts about one database begin with the same schema, answers to one request with the same prompt.
The groups minimise the tokens computed before the first answer token. Each group has one prefix;
prefixes of prefixes are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GROUP_COST = 64
"""Tokens that a prefix must save to be worth a forward pass of its own."""
_DEEPEST = 64
"""Nested prefixes looked at; a bound for the recursion."""


@dataclass(frozen=True)
class Group:
    """Rows whose prompts begin with the same `prefix` tokens; in each at least one more follows."""

    prefix: int
    rows: tuple[int, ...]


def shared_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    shortest = min(len(first), len(second))
    if first[:shortest] == second[:shortest]:
        return shortest
    low, high = 0, shortest  # first[:low] equal, first[:high] not
    while high - low > 1:
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low


def group(prompts: Sequence[tuple[int, ...]]) -> list[Group]:
    """Divide rows into groups by common prefix, so that the fewest tokens are computed.

    Rows that share too little end in one last group, whose prefix is what they all share, or 0.
    """
    if not prompts:
        return []
    order = sorted(range(len(prompts)), key=lambda row: prompts[row])
    ordered = [prompts[row] for row in order]
    shared = [shared_length(*pair) for pair in pairwise(ordered)]
    _, spans = _divide(ordered, shared, 0, len(ordered), 0)
    groups, rest = [], []
    for start, end in spans:
        if end - start == 1:
            rest.append(start)
        else:
            rows = tuple(order[start:end])
            groups.append(Group(_prefix(ordered, shared, start, end), rows))
    return groups + _rest([prompts[order[row]] for row in rest], [order[row] for row in rest])


def _rest(prompts: Sequence[tuple[int, ...]], rows: Sequence[int]) -> list[Group]:
    """One group of the rows that were worth no group: sorted, so the ends share what all share."""
    if not rows:
        return []
    common = min(
        shared_length(prompts[0], prompts[-1]), *(len(prompt) - 1 for prompt in prompts), 1 << 62
    )
    return [Group(common if common * (len(rows) - 1) > GROUP_COST else 0, tuple(rows))]


def _divide(
    prompts: Sequence[tuple[int, ...]], shared: Sequence[int], start: int, end: int, depth: int
) -> tuple[int, list[tuple[int, int]]]:
    """The cheapest division of the sorted prompts start..end: its cost in tokens, and its spans."""
    lengths = sum(len(prompt) for prompt in prompts[start:end])
    if end - start == 1:
        return lengths, [(start, end)]
    prefix = _prefix(prompts, shared, start, end)
    whole = GROUP_COST + lengths - prefix * (end - start - 1)
    lowest = min(shared[start : end - 1])
    cuts = [at + 1 for at in range(start, end - 1) if shared[at] == lowest]
    if depth == _DEEPEST or len(cuts) == end - start - 1:  # nothing nested
        return (whole, [(start, end)]) if whole < lengths else _singles(lengths, start, end)
    parts = [
        _divide(prompts, shared, *span, depth + 1)
        for span in zip([start, *cuts], [*cuts, end], strict=True)
    ]
    divided = sum(cost for cost, _ in parts)
    if whole <= divided:
        return whole, [(start, end)]
    return divided, [span for _, spans in parts for span in spans]


def _singles(cost: int, start: int, end: int) -> tuple[int, list[tuple[int, int]]]:
    return cost, [(row, row + 1) for row in range(start, end)]


def _prefix(prompts: Sequence[tuple[int, ...]], shared: Sequence[int], start: int, end: int) -> int:
    """Tokens common to the sorted prompts start..end, one token of each left over."""
    shortest = min(len(prompt) for prompt in prompts[start:end])
    return min([*shared[start : end - 1], shortest - 1])
