"""Shapes as SVG text, for the figures of the pages: no plotting library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

BLUE, ORANGE, INK, SOFT, GRID = "#2166ac", "#d0662b", "#16181d", "#555b66", "#d5d9e0"
Point = tuple[float, float]


def text(
    x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", **more: str
) -> str:
    """Words with their baseline at y. Args: more: further attributes, `_` for `-`."""
    others = attributes({"fill": INK, **more})
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} xml:space="preserve"{others}>{escape(words)}</text>'


def line(start: Point, end: Point, **more: str) -> str:
    """A straight line."""
    place = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f"<line {place}{attributes({'stroke': SOFT, **more})}/>"


def path(points: Iterable[Point], **more: str) -> str:
    """Straight lines from point to point."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    others = attributes({"fill": "none", "stroke": BLUE, "stroke_width": "2", **more})
    return f'<polyline points="{places}"{others}/>'


def box(x: float, y: float, width: float, height: float, **more: str) -> str:
    """A rectangle; a negative height is turned round."""
    top, size = min(y, y + height), abs(height)
    place = f'x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{size:.1f}"'
    return f"<rect {place}{attributes(more)}/>"


def attributes(values: dict[str, str]) -> str:
    """` name="value"` of each."""
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in values.items())


def save(file: Path, size: tuple[int, int], parts: Sequence[str]) -> None:
    """Write the figure on white, so that it can be read on a dark page too."""
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">'
    )
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{SOFT}"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    file.write_text("\n".join([head, marker, ground, *parts, "</svg>"]) + "\n", encoding="utf-8")
