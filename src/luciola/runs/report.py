"""A run's report: `report.json` for programs, `report.md` with the same figures for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from luciola.runs.atomic import write_atomically
from luciola.runs.curve import Point, curve_svg
from luciola.runs.metrics import Row

Figures = Mapping[str, Any]


def write_report(
    folder: Path,
    figures: Figures,
    *,
    title: str,
    sections: Mapping[str, str | Figures] | None = None,
    metrics: Sequence[Row] = (),
    curves: Mapping[str, str] | None = None,
) -> None:
    """Write `loss.svg`, `report.md` and, as the sign that the run has finished, `report.json`.

    Args:
        figures: what the run came to; numbers, texts, or one level of mappings.
        title: the first line.
        sections: further parts by their headings: Markdown, or figures for a table.
        metrics: rows of `metrics.jsonl`.
        curves: which figures of `metrics` are drawn, each with its name in the chart.

    Raises: StorageError where the disk is full.
    """
    curves = curves or {"loss": "training", "eval/loss": "evaluation"}
    series = {name: points(metrics, key) for key, name in curves.items()}
    parts = [f"# {title}", table(figures)]
    if any(series.values()):
        write_atomically(folder / "loss.svg", curve_svg(series))
        parts.append("![The loss over the steps](loss.svg)")
    for heading, body in (sections or {}).items():
        parts.append(f"## {heading}")
        parts.append(body if isinstance(body, str) else table(body))
    write_atomically(folder / "report.md", "\n\n".join(parts) + "\n")
    write_atomically(folder / "report.json", json.dumps(_finite(figures), indent=2) + "\n")


def points(metrics: Iterable[Row], key: str) -> list[Point]:
    """(step, value) of one figure, in the order of the rows that have it."""
    return [(row["step"], row[key]) for row in metrics if isinstance(row.get(key), int | float)]


def table(figures: Figures) -> str:
    """Figures as a Markdown table; a mapping inside is unfolded to dotted names."""
    rows = [f"| {name} | {shown(value)} |" for name, value in _flat(figures, "")]
    return "\n".join(["| figure | value |", "| --- | --- |", *rows])


def shown(value: Any) -> str:
    """A figure as a person reads it: 1,234,567; 0.6125; yes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return "–" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _flat(figures: Figures, prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: such a figure is null."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
