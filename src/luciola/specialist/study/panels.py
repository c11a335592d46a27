"""Figures of several panels in one style: matplotlib without its global state.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; every
series has a marker of its own as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6b6b6b"
ACROSS = 3
"""Panels side by side, at most."""
STYLE: Any = {  # keys that matplotlib knows
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "svg.hashsalt": "luciola",
}


def panels(
    titles: Sequence[str], *, width: float = 3.8, height: float = 3.3
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each title, in inches each.

    Raises: MissingExtraError without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        purpose = "drawing the figures of a study"
        raise MissingExtraError("matplotlib", extra="study", purpose=purpose) from None
    across = 2 if len(titles) == 4 else min(ACROSS, len(titles))
    down = -(-len(titles) // across)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width * across, height * down), layout="constrained")
        grid: Any = figure.subplots(down, across, squeeze=False)
    places = list(grid.flat)
    for place in places[len(titles) :]:
        place.remove()
    for place, title in zip(places, titles, strict=False):
        place.set_title(title, loc="left", fontweight="bold")
    return figure, places[: len(titles)]


def save(figure: Figure, folder: Path, name: str) -> None:
    """As NAME.png and NAME.svg; the same figure gives the same bytes."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


def same_heights(places: Sequence[Axes]) -> None:
    """One range of y for all, from 0, so that panels can be compared; marks at 0 are whole."""
    top = min(max((place.get_ylim()[1] for place in places), default=1.0), 102.0)
    for place in places:
        place.set_ylim(-0.035 * top, top)


def points(
    place: Axes,
    xs: Sequence[float],
    shares: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    number: int,
    label: str = "",
    line: bool = False,
) -> None:
    """Percentages with their intervals, in the colour and marker of a number."""
    values = [100 * share for share in shares]
    pairs = list(zip(shares, intervals, strict=True))
    below = [100 * max(0.0, share - low) for share, (low, _) in pairs]
    above = [100 * max(0.0, high - share) for share, (_, high) in pairs]
    place.errorbar(
        xs,
        values,
        yerr=[below, above],
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        linestyle="-" if line else "none",
        elinewidth=1.1,
        label=label or None,
    )


def legend_below(figure: Figure, places: Sequence[Axes], *, columns: int = 4) -> None:
    """One legend for all panels, under them."""
    known: dict[str, Any] = {}
    for place in places:
        handles, labels = place.get_legend_handles_labels()
        known |= {label: h for label, h in zip(labels, handles, strict=True) if label not in known}
    if known:
        handles, names = list(known.values()), list(known)
        figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False)


def dodge(number: int, of: int, width: float) -> float:
    """How far series `number` stands beside the middle, so that bars do not hide each other."""
    return (number - (of - 1) / 2) * width
