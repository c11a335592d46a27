"""The paper's figures, of one's own models: what each decision about a prompt buys.

Each function gives None where the study has no points for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luciola.specialist.study import paper
from luciola.specialist.study.comparisons import Comparison, is_default
from luciola.specialist.study.marks import PUBLISHED, models_of, published, series
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

FAMILIES_IN_ORDER = ("BS_P", "TR_P", "OD_P", "CR_P", "AS_P", "CBR", "HOUSE")


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
            moved = [(x + dodge(number, 2, 0.16), result) for x, result in found]
            series(place, moved, metric, number)
        _categories(place, names, "questions right, %")
    _published_representations(places[-1])
    same_heights(places)
    legend_below(figure, places, columns=6)
    return figure


def _published_representations(place: Axes) -> None:
    for number, model in enumerate(paper.MODELS):
        xs = [i + dodge(number, 4, 0.1) for i in range(len(paper.ZERO_SHOT))]
        ys = [pairs[number][1] for pairs in paper.ZERO_SHOT.values()]
        published(place, xs, ys, number + 2, model)
    _categories(place, list(paper.ZERO_SHOT), "EX, %")


def effects(
    found: Sequence[Comparison], what: str, elsewhere: Mapping[str, Sequence[float]]
) -> Figure | None:
    """What one change gains in EX on the same questions, in points."""
    rows = [each for each in found if each.what == what]
    if not rows:
        return None
    models = list(dict.fromkeys(each.result.point.model for each in rows))
    names = sorted({_unmarked(each) for each in rows}, key=_family)
    height = 1.5 + 0.34 * max(len(names), len(elsewhere))
    figure, places = panels([*models, PUBLISHED + "four models"], height=height)
    for model, place in zip(models, places, strict=False):
        own = {_unmarked(each): each for each in rows if each.result.point.model == model}
        for y, name in enumerate(names):
            if name in own:
                _bar(place, y, own[name])
        _rows(place, names)
    for number, model in enumerate(paper.MODELS):
        ys = [y + dodge(number, 4, 0.15) for y in range(len(elsewhere))]
        gains = [values[number] for values in elsewhere.values()]
        published(places[-1], gains, ys, number + 2, model)
    _rows(places[-1], list(elsewhere))
    widest = 1.05 * max(max(map(abs, place.get_xlim())) for place in places)
    for place in places:
        place.set_xlim(-widest, widest)
    legend_below(figure, places)
    return figure


def _unmarked(found: Comparison) -> str:
    """The prompt without the change, its representation as the paper calls it."""
    return replace(found.reference.point, model="").way.replace("-rule", "")


def _family(name: str) -> tuple[int, str]:
    """The order of the paper's figures, then that of the letters."""
    places = [i for i, family in enumerate(FAMILIES_IN_ORDER) if name.startswith(family)]
    return (places or [len(FAMILIES_IN_ORDER)])[0], name


def _bar(place: Axes, y: float, found: Comparison) -> None:
    gain = 100 * found.ex.share
    ends = [[max(0.0, gain - 100 * found.ex.low)], [max(0.0, 100 * found.ex.high - gain)]]
    place.errorbar([gain], [y], xerr=ends, color=COLOURS[0], marker=MARKERS[0], elinewidth=1.3)


def hardness(results: Sequence[Result]) -> Figure | None:
    """EX by hardness, of each model's best prompt without examples and with them."""
    models = [m for m in models_of(results) if _best(results, m)]
    levels = [level for level in LEVELS if any(level in r.by_level("ex") for r in results)]
    if not models or len(levels) < 2:
        return None
    figure, places = panels(models, height=3.9)
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
        place.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), frameon=False)
    same_heights(places)
    return figure


def _best(results: Sequence[Result], model: str) -> list[Result]:
    own = [r for r in results if r.point.model == model and r.share("ex") is not None]
    parts = [[r for r in own if bool(r.point.shots) is shots] for shots in (False, True)]
    return [max(part, key=lambda r: r.share("ex") or 0.0) for part in parts if part]


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
