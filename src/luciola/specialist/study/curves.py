"""EX by the number of examples, one line for each selection or organization."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luciola.specialist.study import paper
from luciola.specialist.study.grid import Point
from luciola.specialist.study.marks import PUBLISHED, published, series
from luciola.specialist.study.panels import GREY, dodge, legend_below, panels, same_heights
from luciola.specialist.study.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def by_shots(results: Sequence[Result], axis: str) -> Figure | None:
    """EX by the number of examples; a line for each `selection`, or `organization`."""
    groups = _groups(results, axis)
    if not groups:
        return None
    other = "organization" if axis == "selection" else "selection"
    titles = [f"{p.model}\n{p.variant} {getattr(p, other)}" for p in groups]
    figure, places = panels([*titles, *_published_titles(axis)], height=3.5)
    values = sorted({getattr(r.point, axis) for rows in groups.values() for r in rows}, key=_place)
    for rows, place in zip(groups.values(), places, strict=False):
        start = _start(rows, results)
        for number, value in enumerate(values):
            own = [r for r in rows if getattr(r.point, axis) == value]
            shift = dodge(number, len(values), 0.09)
            found = [(0.0, r) for r in start] if own else []
            found += [(r.point.shots + shift, r) for r in sorted(own, key=lambda r: r.point.shots)]
            series(place, found, "ex", number, value, line=True)
        _beginning(place, start)
        _shots_axis(place)
    same_heights(places[: len(groups)])
    _published_by_shots(places[len(groups) :], axis, values)
    legend_below(figure, places, columns=6)
    return figure


def _beginning(place: Axes, start: Sequence[Result]) -> None:
    """The point without examples, which belongs to no line more than to another."""
    for result in start:
        share = 100 * (result.share("ex") or 0.0)
        place.plot([0], [share], marker="o", color=GREY, zorder=5)


def _groups(results: Sequence[Result], axis: str) -> dict[Point, list[Result]]:
    """Points that differ in shots and `axis` alone: the groups with the most values of `axis`."""
    groups: dict[Point, list[Result]] = defaultdict(list)
    for result in results:
        if result.point.shots:
            same: Point = replace(result.point, shots=1, **{axis: ""})  # type: ignore[arg-type]
            groups[same].append(result)
    sizes = {same: len({getattr(row.point, axis) for row in rows}) for same, rows in groups.items()}
    most = max(sizes.values(), default=0)
    return {same: rows for same, rows in groups.items() if sizes[same] == most > 1}


def _start(rows: Sequence[Result], results: Sequence[Result]) -> list[Result]:
    """The point without examples, where all lines begin."""
    wanted = {replace(r.point, shots=0, selection="", organization="") for r in rows}
    return [result for result in results if result.point in wanted]


SHOWN_ORDER = ("RANDOM", "QTS_S", "MQS_S", "QRS_S", "DAIL_S", "ORACLE", "FI_O", "SO_O", "DAIL_O")


def _place(name: str) -> tuple[int, str]:
    known = SHOWN_ORDER.index(name) if name in SHOWN_ORDER else len(SHOWN_ORDER)
    return known, name


def _published_titles(axis: str) -> list[str]:
    ways = "CR_P FI_O" if axis == "selection" else "CR_P DAIL_S"
    return [f"{PUBLISHED}{model}\n{ways}, another scale" for model in ("GPT-4", "Vicuna-33B")]


def _published_by_shots(places: Sequence[Axes], axis: str, values: Sequence[str]) -> None:
    for model, place in zip(("GPT-4", "Vicuna-33B"), places, strict=True):
        column = paper.MODELS.index(model)
        start = paper.ZERO_SHOT["CR_P"][column][1]
        if axis == "selection":
            lines = {
                name: [(0, start), *_columns(by_shots, column)]
                for name, by_shots in paper.SELECTION.items()
            }
        else:
            known = paper.ORGANIZATION[model]
            shots = paper.ORGANIZATION_SHOTS
            lines = {
                name: [(k, y) for k, y in zip(shots, ys, strict=True) if y is not None]
                for name, ys in known.items()
            }
        for name, line in lines.items():
            number = values.index(name) if name in values else len(values)
            xs, ys = [x for x, _ in line], [y for _, y in line]
            published(place, xs, ys, number, name, line=True)
        _shots_axis(place)


def _columns(
    by_shots: Sequence[Sequence[paper.Pair | None]], column: int
) -> list[tuple[int, float]]:
    pairs = zip(paper.SHOTS, (row[column] for row in by_shots), strict=True)
    return [(shots, pair[1]) for shots, pair in pairs if pair is not None]


def _shots_axis(place: Axes) -> None:
    place.set_xlabel("examples")
    place.set_ylabel("EX, %")
    shots = sorted({round(x) for line in place.lines for x in _numbers(line.get_xdata())})
    place.set_xticks(shots)


def _numbers(values: object) -> list[float]:
    import numpy as np

    return [float(x) for x in np.asarray(values, dtype=float).ravel()]
