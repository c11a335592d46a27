"""Which points of a study differ in one thing alone, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from luciola.specialist.study.grid import Point
from luciola.specialist.study.results import Result
from luciola.specialist.study.statistics import Difference, difference, holm
from luciola.sql.dail.representation import FAMILIES, PLAIN, RULE, representation


@dataclass(frozen=True)
class Comparison:
    """A point beside the one that differs from it in one thing.

    Args:
        what: the thing, a key of `REFERENCES`.
        reference, result: without it and with it.
        ex, em: how much better `result` is; em is None where it was not judged.
        p: of ex, corrected for all comparisons of the study after Holm.
    """

    what: str
    reference: Result
    result: Result
    ex: Difference
    em: Difference | None
    p: float


def is_default(point: Point) -> bool:
    """Whether foreign keys and rule are as in the paper's figure 1."""
    family = FAMILIES[point.representation]
    return point.wording == family.default and point.foreign_keys == (family.keys is None)


def _without_keys(point: Point) -> Point | None:
    return replace(point, foreign_keys=False) if point.foreign_keys else None


def _without_rule(point: Point) -> Point | None:
    return replace(point, wording=PLAIN) if point.wording == RULE else None


def _in_code(point: Point) -> Point | None:
    if point.shots or not is_default(point) or point.representation == "CR_P":
        return None
    code = representation("CR_P")
    return replace(
        point, representation=code.name, foreign_keys=code.foreign_keys, wording=code.wording
    )


def _without_examples(point: Point) -> Point | None:
    return replace(point, shots=0, selection="", organization="") if point.shots else None


def _at_random(point: Point) -> Point | None:
    chosen = point.selection not in ("", "RANDOM")
    return replace(point, selection="RANDOM") if chosen else None


def _in_full(point: Point) -> Point | None:
    shortened = point.organization not in ("", "FI_O")
    return replace(point, organization="FI_O") if shortened else None


def _one_answer(point: Point) -> Point | None:
    return replace(point, votes=1) if point.votes > 1 else None


REFERENCES: Mapping[str, Callable[[Point], Point | None]] = MappingProxyType(
    {
        "representation": _in_code,
        "foreign keys": _without_keys,
        "rule": _without_rule,
        "examples": _without_examples,
        "selection": _at_random,
        "organization": _in_full,
        "votes": _one_answer,
    }
)
"""What is compared, and the point that a point is compared with; None: with none."""


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """Every pair of points that differ in one thing alone."""
    known = {result.point: result for result in results}
    found = []
    for what, reference_of in REFERENCES.items():
        for result in results:
            point = reference_of(result.point)
            reference = known.get(point) if point else None
            if reference is not None:
                found.append(_compared(what, reference, result))
    ps = holm([each.ex.p for each in found])
    return [replace(each, p=p) for each, p in zip(found, ps, strict=True)]


def _compared(what: str, reference: Result, result: Result) -> Comparison:
    ex = difference(reference.verdicts("ex"), result.verdicts("ex"))
    em = difference(reference.verdicts("em"), result.verdicts("em"))
    return Comparison(what, reference, result, ex, em if em.count else None, ex.p)
