"""What a token buys: EX against the length of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from luciola.specialist.study.marks import models_of
from luciola.specialist.study.panels import (
    COLOURS,
    GREY,
    MARKERS,
    legend_below,
    panels,
    same_heights,
)
from luciola.specialist.study.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tokens(results: Sequence[Result]) -> Figure | None:
    """EX against the tokens of a prompt, with the points that nothing beats in both."""
    shown = [r for r in results if r.prompt_tokens and r.share("ex") is not None]
    if len(shown) < 2:
        return None
    models = models_of(shown)
    figure, places = panels(models, width=4.6 if len(models) > 1 else 6.5, height=5.0)
    kinds = list(dict.fromkeys(_kind(r) for r in sorted(shown, key=lambda r: r.point.shots)))
    for model, place in zip(models, places, strict=True):
        own = [r for r in shown if r.point.model == model]
        for number, kind in enumerate(kinds):
            _cloud(place, [r for r in own if _kind(r) == kind], number, kind)
        names = _front(place, front(own))
        place.set_xlabel("tokens of a prompt\n\n" + "\n".join(names), fontsize=9)
        place.set_ylabel("EX, %")
    for place in places:
        place.set_xscale("log")
        _plain_ticks(place, [r.prompt_tokens or 1 for r in shown])
    same_heights(places)
    legend_below(figure, places, columns=len(kinds) + 1)
    return figure


def front(results: Sequence[Result]) -> list[Result]:
    """Those that no other beats in both tokens and EX, cheapest first."""
    best, kept = -1.0, []
    for result in sorted(results, key=lambda r: (r.prompt_tokens or 0, -(r.share("ex") or 0))):
        if (result.share("ex") or 0.0) > best:
            best = result.share("ex") or 0.0
            kept.append(result)
    return kept


def _kind(result: Result) -> str:
    return result.point.organization if result.point.shots else "no examples"


def _cloud(place: Axes, rows: Sequence[Result], number: int, label: str) -> None:
    xs = [r.prompt_tokens or 0 for r in rows]
    ys = [100 * (r.share("ex") or 0) for r in rows]
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    place.scatter(xs, ys, s=30, color=colour, marker=marker, label=label, alpha=0.85, zorder=3)


def _front(place: Axes, rows: Sequence[Result]) -> list[str]:
    """Draw and number the points that nothing beats; their names, two a line."""
    xs = [r.prompt_tokens or 0 for r in rows]
    ys = [100 * (r.share("ex") or 0) for r in rows]
    label = "no shorter prompt is as good"
    place.step(xs, ys, where="post", color=GREY, linestyle="--", label=label, zorder=2)
    for number, (x, y) in enumerate(zip(xs, ys, strict=True), 1):
        shift, side = ((-4, 4), "right") if number % 2 else ((4, 4), "left")
        where = "offset points"
        place.annotate(str(number), (x, y), shift, textcoords=where, ha=side, fontweight="bold")
    names = [f"{number}  {row.point.way}" for number, row in enumerate(rows, 1)]
    return ["     ".join(names[start : start + 2]) for start in range(0, len(names), 2)]


def _plain_ticks(place: Axes, values: Sequence[float]) -> None:
    """Ticks at 100, 200, 500, ... as numbers, not as powers."""
    low, high = min(values), max(values)
    ticks = [base * 10**power for power in range(7) for base in (1, 2, 5)]
    inside = [tick for tick in ticks if low / 2 <= tick <= high * 2]
    place.set_xticks(inside, [f"{tick:,}" for tick in inside])
    place.minorticks_off()
    place.set_xlim(low / 1.3, high * 1.3)
