"""What the figures of a study have in common: series of results, published series, axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luciola.specialist.study.panels import COLOURS, MARKERS, points
from luciola.specialist.study.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PUBLISHED = "published: "


def models_of(results: Sequence[Result]) -> list[str]:
    """The models in the order of the study."""
    return list(dict.fromkeys(result.point.model for result in results))


def series(
    place: Axes,
    found: Sequence[tuple[float, Result]],
    metric: str,
    number: int,
    label: str = "",
    *,
    line: bool = False,
) -> None:
    known = [(x, r.share(metric), r.interval(metric)) for x, r in found]
    kept = [(x, share, ends) for x, share, ends in known if share is not None and ends is not None]
    if kept:
        xs, shares, ends = zip(*kept, strict=True)
        label = label or metric.upper()
        points(place, xs, shares, ends, number=number, label=label, line=line)


def published(
    place: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    number: int,
    label: str,
    *,
    line: bool = False,
) -> None:
    """Hollow markers: figures without an interval, from elsewhere."""
    place.plot(
        xs,
        ys,
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        markerfacecolor="white",
        linestyle="-" if line else "none",
        label=label,
    )
