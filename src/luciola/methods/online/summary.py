"""What a run came to: score, KL and length at its start, its best and its end, and on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from luciola.runs.report import shown

Row = Mapping[str, Any]
HEADLINES = {"score": "score/mean", "kl": "objective/kl", "length": "answers/length"}
COLUMNS = {
    "score": "score/mean",
    "± between answers": "score/std",
    "KL, nats an answer": "objective/kl",
    "KL weight": "objective/kl_coef",
    "tokens an answer": "answers/length",
    "ended": "finish/end",
    "stop text": "finish/stop",
    "cut off": "finish/length",
    "entropy, nats a token": "objective/entropy_token",
    "ratio clipped": "policy/clip_fraction",
    "value loss": "loss/value",
    "values explain": "value/explained",
}
"""Columns of the table, and the figures that they show; those that a method lacks are left out."""
COMPONENT = "component/"
MOST_ROWS = 20


def iterations_of(metrics: Iterable[Row]) -> list[dict[str, float]]:
    """One row an iteration: its own figures, and the means of what its steps logged."""
    found: list[dict[str, float]] = []
    steps: list[Row] = []
    for row in metrics:
        if "loss" not in row:  # an evaluation
            continue
        steps.append(row)
        if "iteration" in row:
            mean = {
                name: sum(step[name] for step in steps) / len(steps)
                for name, value in row.items()
                if isinstance(value, int | float) and all(_is_number(s, name) for s in steps)
            }
            own = {n: v for n, v in row.items() if n not in steps[0] or len(steps) == 1}
            found.append({**mean, **own, "iteration": row["iteration"]})
            steps = []
    return found


def _is_number(row: Row, name: str) -> bool:
    return isinstance(row.get(name), int | float)


def headlines(metrics: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Score, KL and length at the start, where the score was best, and at the end."""
    rows = iterations_of(metrics)
    if not rows:
        return {}
    best = max(rows, key=lambda row: row["score/mean"])
    found: dict[str, dict[str, float]] = {}
    for name, figure in HEADLINES.items():
        at = {"start": rows[0][figure], "best": best[figure], "last": rows[-1][figure]}
        found[name] = {("at_best" if word == "best" and name != "score" else word): value
                       for word, value in at.items()}  # fmt: skip
    found["score"]["best_iteration"] = int(best["iteration"])
    return found


def table(metrics: Iterable[Row]) -> str:
    """Markdown: a line an iteration, of many iterations some, always the first, best and last."""
    rows = iterations_of(metrics)
    if not rows:
        return "No iteration was finished."
    parts = sorted({name for row in rows for name in row if name.startswith(COMPONENT)})
    columns = {n: f for n, f in COLUMNS.items() if any(f in row for row in rows)}
    columns |= {name.removeprefix(COMPONENT): name for name in parts}
    lines = [
        f"| {' | '.join(['iteration', *columns])} |",
        f"| {' | '.join('---' for _ in ['', *columns])} |",
    ]
    for index in _chosen(rows):
        row = rows[index]
        cells = [shown(row.get(figure)) for figure in columns.values()]
        lines.append(f"| {' | '.join([shown(int(row['iteration'])), *cells])} |")
    return "\n".join(lines)


def _chosen(rows: Sequence[Row]) -> list[int]:
    """Numbers of the rows that are shown."""
    last = len(rows) - 1
    some = {round(last * place / (MOST_ROWS - 1)) for place in range(MOST_ROWS)}
    best = max(range(len(rows)), key=lambda index: float(rows[index]["score/mean"]))
    return sorted(some | {best})
