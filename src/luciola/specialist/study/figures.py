"""The paper's figures, of one's own models: what each decision about a prompt buys.

Each function gives None where the study has no points for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luciola.specialist.study import paper
from luciola.specialist.study.comparisons import Comparison, is_default
from luciola.specialist.study.grid import Point
from luciola.specialist.study.panels import (
    COLOURS,
    GREY,
    MARKERS,
    dodge,
    legend_below,
    panels,
    points,
    same_heights,
)
from luciola.specialist.study.results import Result
from luciola.sql.official.hardness import LEVELS
from luciola.sql.official.report import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PUBLISHED = "published: "
FAMILIES_IN_ORDER = ("BS_P", "TR_P", "OD_P", "CR_P", "AS_P", "CBR", "HOUSE")


def models_of(results: Sequence[Result]) -> list[str]:
    """The models in the order of the study."""
    return list(dict.fromkeys(result.point.model for result in results))


def representations(results: Sequence[Result]) -> Figure | None:
    """EX and EM by representation, without examples."""
    shown = [r for r in results if not r.point.shots and r.point.votes == 1 and is_default(r.point)]
    if len({result.point.representation for result in shown}) < 2:
        return None
    models = models_of(shown)
    figure, places = panels([*models, PUBLISHED + "EX of four models"])
    names = [n for n in FAMILIES_IN_ORDER if any(r.point.representation == n for r in shown)]
    for model, place in zip(models, places, strict=False):
        own = {r.point.representation: r for r in shown if r.point.model == model}
        for number, metric in enumerate(("ex", "em")):
            found = [(i, own[name]) for i, name in enumerate(names) if name in own]
            _series(place, found, metric, number, dodge(number, 2, 0.16))
        _categories(place, names, "questions right, %")
    _published_representations(places[-1])
    same_heights(places)
    legend_below(figure, places, columns=6)
    return figure


def _published_representations(place: Axes) -> None:
    for number, model in enumerate(paper.MODELS):
        xs = [i + dodge(number, 4, 0.1) for i in range(len(paper.ZERO_SHOT))]
        ys = [pairs[number][1] for pairs in paper.ZERO_SHOT.values()]
        _published(place, xs, ys, number + 2, model)
    _categories(place, list(paper.ZERO_SHOT), "EX, %")


def effects(
    found: Sequence[Comparison], what: str, published: Mapping[str, Sequence[float]]
) -> Figure | None:
    """What one change gains in EX on the same questions, in points."""
    rows = [each for each in found if each.what == what]
    if not rows:
        return None
    models = list(dict.fromkeys(each.result.point.model for each in rows))
    names = list(dict.fromkeys(_unmarked(each) for each in rows))
    height = 1.5 + 0.34 * max(len(names), len(published))
    figure, places = panels([*models, PUBLISHED + "four models"], height=height)
    for model, place in zip(models, places, strict=False):
        own = {_unmarked(each): each for each in rows if each.result.point.model == model}
        for y, name in enumerate(names):
            if name in own:
                _bar(place, y, own[name])
        _rows(place, names)
    for number, model in enumerate(paper.MODELS):
        ys = [y + dodge(number, 4, 0.15) for y in range(len(published))]
        gains = [values[number] for values in published.values()]
        _published(places[-1], gains, ys, number + 2, model)
    _rows(places[-1], list(published))
    widest = max(max(map(abs, place.get_xlim())) for place in places)
    for place in places:
        place.set_xlim(-widest, widest)
    legend_below(figure, places)
    return figure


def _unmarked(found: Comparison) -> str:
    """The prompt without the change, its representation as the paper calls it."""
    return replace(found.reference.point, model="").way.replace("-rule", "")


def _bar(place: Axes, y: float, found: Comparison) -> None:
    gain = 100 * found.ex.share
    ends = [[max(0.0, gain - 100 * found.ex.low)], [max(0.0, 100 * found.ex.high - gain)]]
    place.errorbar([gain], [y], xerr=ends, color=COLOURS[0], marker=MARKERS[0], elinewidth=1.3)


def by_shots(results: Sequence[Result], axis: str) -> Figure | None:
    """EX by the number of examples; a line for each `selection`, or `organization`."""
    groups = _groups(results, axis)
    if not groups:
        return None
    other = "organization" if axis == "selection" else "selection"
    titles = [f"{p.model}: {p.variant} {getattr(p, other)}".strip() for p in groups]
    figure, places = panels([*titles, *_published_titles(axis)])
    values = sorted({getattr(r.point, axis) for rows in groups.values() for r in rows}, key=_place)
    for rows, place in zip(groups.values(), places, strict=False):
        for number, value in enumerate(values):
            own = [r for r in rows if getattr(r.point, axis) == value]
            start = _start(own, results)
            found = [(r.point.shots, r) for r in sorted(start + own, key=lambda r: r.point.shots)]
            _series(place, found, "ex", number, dodge(number, len(values), 0.09), value, line=True)
        _shots_axis(place)
    same_heights(places[: len(groups)])
    _published_by_shots(places[len(groups) :], axis, values)
    legend_below(figure, places, columns=6)
    return figure


def _groups(results: Sequence[Result], axis: str) -> dict[Point, list[Result]]:
    """Points that differ in shots and `axis` alone, where they differ in `axis` at all."""
    groups: dict[Point, list[Result]] = defaultdict(list)
    for result in results:
        if result.point.shots:
            same: Point = replace(result.point, shots=1, **{axis: ""})  # type: ignore[arg-type]
            groups[same].append(result)
    return {
        same: rows
        for same, rows in groups.items()
        if len({getattr(row.point, axis) for row in rows}) > 1
    }


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
    return [f"{PUBLISHED}{model}, {ways}" for model in ("GPT-4", "Vicuna-33B")]


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
            _published(place, xs, ys, number, name, line=True)
        _shots_axis(place)


def _columns(
    by_shots: Sequence[Sequence[paper.Pair | None]], column: int
) -> list[tuple[int, float]]:
    pairs = zip(paper.SHOTS, (row[column] for row in by_shots), strict=True)
    return [(shots, pair[1]) for shots, pair in pairs if pair is not None]


def tokens(results: Sequence[Result]) -> Figure | None:
    """EX against the tokens of a prompt, with the points that nothing beats in both."""
    shown = [r for r in results if r.prompt_tokens and r.share("ex") is not None]
    if len(shown) < 2:
        return None
    models = models_of(shown)
    figure, places = panels(models, width=4.6 if len(models) > 1 else 6.5, height=4.6)
    kinds = list(dict.fromkeys(_kind(r) for r in sorted(shown, key=lambda r: r.point.shots)))
    for model, place in zip(models, places, strict=True):
        own = [r for r in shown if r.point.model == model]
        for number, kind in enumerate(kinds):
            _cloud(place, [r for r in own if _kind(r) == kind], number, kind)
        _front(place, front(own))
        place.set_xlabel("tokens of a prompt")
        place.set_ylabel("EX, %")
    for place in places:
        place.set_xscale("log")
        _plain_ticks(place, [r.prompt_tokens or 1 for r in shown])
        low, high = place.get_ylim()
        place.set_ylim(max(0, low - 0.05 * (high - low)), high)
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


def _front(place: Axes, rows: Sequence[Result]) -> None:
    xs = [r.prompt_tokens or 0 for r in rows]
    ys = [100 * (r.share("ex") or 0) for r in rows]
    place.step(
        xs, ys, where="post", color=GREY, linestyle="--", label="nothing is better", zorder=2
    )
    for number, (x, y) in enumerate(zip(xs, ys, strict=True), 1):
        place.annotate(
            str(number), (x, y), (0, 6), textcoords="offset points", ha="center", fontweight="bold"
        )
    names = [f"{number}  {row.point.way}" for number, row in enumerate(rows, 1)]
    place.text(
        0.98, 0.02, "\n".join(names), transform=place.transAxes, ha="right", va="bottom",
        fontsize=7.5, bbox={"facecolor": "white", "edgecolor": "#cccccc", "alpha": 0.85}, zorder=5,
    )  # fmt: skip


def hardness(results: Sequence[Result]) -> Figure | None:
    """EX by hardness, of each model's best prompt without examples and with them."""
    models = [m for m in models_of(results) if _best(results, m)]
    levels = [level for level in LEVELS if any(level in r.by_level("ex") for r in results)]
    if not models or len(levels) < 2:
        return None
    figure, places = panels(models)
    for model, place in zip(models, places, strict=True):
        for number, result in enumerate(_best(results, model)):
            judged = [[j for j in result.judged if j.hardness == level] for level in levels]
            found = [(x, j, interval(j, "ex")) for x, j in enumerate(judged)]
            known = [(x, j, ends) for x, j, ends in found if ends is not None]
            points(
                place,
                [x + dodge(number, 2, 0.14) for x, _, _ in known],
                [sum(bool(each.ex) for each in j) / len(j) for _, j, _ in known],
                [(ends[0], ends[1]) for _, _, ends in known],
                number=number,
                label=result.point.way,
            )
        counts = [sum(j.hardness == level for j in results[0].judged) for level in levels]
        names = [f"{level}\n{count}" for level, count in zip(levels, counts, strict=True)]
        _categories(place, names, "EX, %")
        place.set_xlabel("hardness, and questions")
        place.legend(loc="upper right")
    same_heights(places)
    return figure


def _best(results: Sequence[Result], model: str) -> list[Result]:
    own = [r for r in results if r.point.model == model and r.share("ex") is not None]
    parts = [[r for r in own if bool(r.point.shots) is shots] for shots in (False, True)]
    return [max(part, key=lambda r: r.share("ex") or 0.0) for part in parts if part]


def _series(
    place: Axes,
    found: Sequence[tuple[float, Result]],
    metric: str,
    number: int,
    shift: float,
    label: str = "",
    *,
    line: bool = False,
) -> None:
    known = [(x, r.share(metric), r.interval(metric)) for x, r in found]
    kept = [(x, share, ends) for x, share, ends in known if share is not None and ends is not None]
    if kept:
        xs, shares, ends = zip(*kept, strict=True)
        moved = [x + shift for x in xs]
        label = label or metric.upper()
        points(place, moved, shares, ends, number=number, label=label, line=line)


def _published(
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


def _categories(place: Axes, names: Sequence[str], label: str) -> None:
    place.set_xticks(range(len(names)), names)
    place.set_xlim(-0.5, len(names) - 0.5)
    place.set_ylabel(label)
    place.grid(visible=False, axis="x")


def _rows(place: Axes, names: Sequence[str]) -> None:
    place.axvline(0, color=GREY, linewidth=1)
    place.set_yticks(range(len(names)), names)
    place.set_ylim(len(names) - 0.4, -0.6)
    place.set_xlabel("points of EX gained")
    place.grid(visible=False, axis="y")


def _shots_axis(place: Axes) -> None:
    place.set_xlabel("examples")
    place.set_ylabel("EX, %")
    shots = sorted({round(x) for line in place.lines for x in _numbers(line.get_xdata())})
    place.set_xticks(shots)


def _numbers(values: object) -> list[float]:
    import numpy as np

    return [float(x) for x in np.asarray(values, dtype=float).ravel()]


def _plain_ticks(place: Axes, values: Sequence[float]) -> None:
    """Ticks at 100, 200, 500, ... as numbers, not as powers."""
    low, high = min(values), max(values)
    ticks = [base * 10**power for power in range(7) for base in (1, 2, 5)]
    inside = [tick for tick in ticks if low / 2 <= tick <= high * 2]
    place.set_xticks(inside, [f"{tick:,}" for tick in inside])
    place.minorticks_off()
    place.set_xlim(low / 1.3, high * 1.3)
