"""A small chart of losses as SVG, drawn by hand: no plotting library, legible on any page.

One linear x axis of whole steps and one linear y axis, with round ticks. Long series are averaged
down to what a chart of this width can show. No interaction, no logarithmic axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

Point = tuple[float, float]
Series = Mapping[str, Sequence[Point]]

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 34, 44
MOST_POINTS = 300
COLOURS = ("#2f6fb3", "#d0662b", "#3c8d5a", "#8a5fb0")
INK, GRID = "#555", "#ddd"


def curve_svg(series: Series, *, x_label: str = "step", y_label: str = "loss") -> str:
    """The chart of named series of (x, y) points; points that are not finite are left out."""
    shown = {name: thinned(_finite(points)) for name, points in series.items()}
    shown = {name: points for name, points in shown.items() if points}
    xs = [x for points in shown.values() for x, _ in points] or [0.0, 1.0]
    ys = [y for points in shown.values() for _, y in points] or [0.0, 1.0]
    frame = Frame((min(xs), max(max(xs), min(xs) + 1)), ticks(min(ys), max(ys)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *frame.axes(x_label, y_label),
        *(frame.line(points, COLOURS[i % 4]) for i, points in enumerate(shown.values())),
        *_legend(list(shown)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class Frame:
    """Where values lie on the page: x from first to last step, y between the outer ticks."""

    def __init__(self, x_range: Point, y_ticks: Sequence[float]) -> None:
        low, high = x_range
        self.x_range = x_range
        self.x_ticks = [tick for tick in ticks(low, high, finest=1.0) if low <= tick <= high]
        self.y_ticks = y_ticks

    def x(self, value: float) -> float:
        return LEFT + _share(value, self.x_range) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - _share(value, self.y_ticks) * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_label: str, y_label: str) -> list[str]:
        """Grid lines, numbers and labels."""
        lines = [_tick_y(self.y(tick), f"{tick:g}") for tick in self.y_ticks]
        lines += [_tick_x(self.x(tick), f"{tick:g}") for tick in self.x_ticks]
        middle = (LEFT + WIDTH - RIGHT) / 2
        lines.append(_text(middle, HEIGHT - 8, x_label, "middle"))
        lines.append(_text(LEFT - 40, TOP - 14, y_label, "start"))
        return lines

    def line(self, points: Sequence[Point], colour: str) -> str:
        """A line through the points, or a dot where there is one only."""
        if len(points) == 1:
            x, y = points[0]
            return f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3" fill="{colour}"/>'
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return (
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )


def ticks(low: float, high: float, *, wanted: int = 5, finest: float = 0.0) -> list[float]:
    """About `wanted` round numbers that enclose `low` to `high`, `finest` or more apart."""
    span = (high - low) or abs(high) or 1.0
    step = _round_step(max(span / wanted, finest))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


def _round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points, each the mean of its neighbours; short series as they are."""
    if len(points) <= most:
        return list(points)
    bounds = [len(points) * index // most for index in range(most + 1)]
    groups = [points[low:high] for low, high in pairwise(bounds)]
    return [(_mean([x for x, _ in group]), _mean([y for _, y in group])) for group in groups]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _share(value: float, scale: Sequence[float]) -> float:
    return (value - scale[0]) / (scale[-1] - scale[0])


def _tick_y(y: float, text: str) -> str:
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
    return line + _text(LEFT - 8, y + 4, text, "end")


def _tick_x(x: float, text: str) -> str:
    bottom = HEIGHT - BOTTOM
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}" stroke="{INK}"/>'
    return line + _text(x, bottom + 19, text, "middle")


def _legend(names: Sequence[str]) -> list[str]:
    lines = []
    x = WIDTH - RIGHT
    for index, name in reversed(list(enumerate(names))):
        x -= 8 * len(name) + 34
        colour = COLOURS[index % len(COLOURS)]
        lines.append(f'<rect x="{x}" y="{TOP - 24}" width="16" height="4" fill="{colour}"/>')
        lines.append(_text(x + 22, TOP - 18, name, "start"))
    return lines


def _text(x: float, y: float, text: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}"'
    return f"<text {place}>{escape(text)}</text>"
