"""Rows that join: their prompts computed into slots of the cache, what they share only once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from luciola.rollout.cache import PrefixCache
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.segments import Segment, chunks, prefill
from luciola.rollout.engine.slots import Slots
from luciola.rollout.prefixes import Group, group
from luciola.rollout.rows import Row

CHUNK = {"cpu": 1 << 13, "cuda": 1 << 15}
"""Most tokens of one forward pass over prompts."""


@dataclass(frozen=True)
class Kept:
    """The computed beginning of some prompts: (layers, 2, H_kv, P, D) keys and values."""

    ids: tuple[int, ...]
    states: Tensor

    def cut(self, length: int) -> Kept:
        """Its first tokens; causal attention makes them independent of the rest."""
        return Kept(self.ids[:length], self.states[:, :, :, :length])


def admit(
    network: Network,
    slots: Slots,
    places: Sequence[int],
    rows: Sequence[Row],
    prefixes: PrefixCache[Kept],
) -> None:
    """Compute the rows' prompts, all but the last token of each, and let the rows begin.

    The last token is the first step's, so that answers to one prompt share all that is computed.
    """
    groups = _groups(rows)
    beginnings = [
        segment
        for one in groups
        if (segment := _beginning(slots, places, rows, one, prefixes)) is not None
    ]
    _compute(network, slots, beginnings)
    few = sum(one.prefix > 0 for one in groups) <= prefixes.entries
    for one in groups:
        if not one.prefix:
            continue
        leader, others = places[one.rows[0]], [places[row] for row in one.rows[1:]]
        if others:
            slots.share(leader, others, one.prefix)
        ids = rows[one.rows[0]].prompt[: one.prefix]
        if few and any(s.slot == leader for s in beginnings):
            states = slots.cache[:, :, leader, :, : one.prefix].clone()
            prefixes.keep(Kept(ids, states))
    _compute(
        network,
        slots,
        [
            Segment(places[row], one.prefix, rows[row].prompt[one.prefix : -1])
            for one in groups
            for row in one.rows
            if len(rows[row].prompt) - 1 > one.prefix
        ],
    )
    slots.place(places, rows)


def _groups(rows: Sequence[Row]) -> list[Group]:
    if len(rows) == 1:  # keep the whole prompt for the next question about the same schema
        return [Group(len(rows[0].prompt) - 1, (0,))]
    return group([row.prompt for row in rows])


def _beginning(
    slots: Slots,
    places: Sequence[int],
    rows: Sequence[Row],
    one: Group,
    prefixes: PrefixCache[Kept],
) -> Segment | None:
    """What of a group's prefix must be computed, into the slot of its first row; what is kept from
    before is copied there.
    """
    ids = rows[one.rows[0]].prompt[: one.prefix]
    if not ids:
        return None
    leader = places[one.rows[0]]
    known = prefixes.longest(ids)
    start = len(known.ids) if known else 0
    if known:
        slots.cache[:, :, leader, :, :start] = known.states
    return Segment(leader, start, ids[start:]) if start < len(ids) else None


def _compute(network: Network, slots: Slots, segments: Sequence[Segment]) -> None:
    for chunk in chunks(segments, CHUNK[slots.device.type]):
        prefill(network, slots.cache, slots.tables, chunk)
