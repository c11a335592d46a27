"""A study as tables: rows of texts, which Markdown, CSV and the page share."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from luciola.specialist.study import paper
from luciola.specialist.study.comparisons import Comparison
from luciola.specialist.study.results import Result
from luciola.sql.official.hardness import LEVELS


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first `names` columns hold words, the others numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1
    note: str = ""

    def markdown(self) -> str:
        ruler = ["---" if i < self.names else "---:" for i in range(len(self.headings))]
        lines = [self.headings, tuple(ruler), *self.rows]
        body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return f"### {self.title}\n\n{body}\n" + (f"\n{self.note}\n" if self.note else "")


def points_table(results: Sequence[Result]) -> Table:
    """Every point, best EX first within its model."""
    models = list(dict.fromkeys(result.point.model for result in results))
    ordered = sorted(
        results, key=lambda r: (models.index(r.point.model), -(r.share("ex") or 0), r.point.way)
    )
    return Table(
        "All points",
        (
            "model",
            "prompt",
            "EX %",
            "95 % interval",
            "EM %",
            "95 % interval",
            "runs %",
            "tokens",
            "examples",
            "s",
            "cost",
        ),
        tuple(_point_row(result) for result in ordered),
        names=2,
        note="Tokens are those of a prompt, seconds those of a question, costs those of the point; "
        "examples are those that fitted into the context.",
    )


def _point_row(result: Result) -> tuple[str, ...]:
    return (
        result.point.model,
        result.point.way,
        percent(result.share("ex")),
        interval(result.interval("ex")),
        percent(result.share("em")),
        interval(result.interval("em")),
        percent(result.share("valid")),
        "–" if result.prompt_tokens is None else f"{result.prompt_tokens:,.0f}",
        f"{result.examples:.1f}" if result.point.shots else "0",
        "–" if result.seconds is None else f"{result.seconds:.3f}",
        f"{result.cost:.4f}" if result.cost else "–",
    )


def comparison_table(what: str, found: Sequence[Comparison]) -> Table:
    """What one change does on the same questions."""
    rows = [each for each in found if each.what == what]
    return Table(
        f"Effect: {what}",
        (
            "model",
            "prompt",
            "against",
            "EX points",
            "95 % interval",
            "gained",
            "lost",
            "p",
            "p (Holm)",
            "EM points",
        ),
        tuple(_comparison_row(each) for each in rows),
        names=3,
    )


def _comparison_row(found: Comparison) -> tuple[str, ...]:
    return (
        found.result.point.model,
        found.result.point.way,
        found.reference.point.way,
        f"{100 * found.ex.share:+.1f}",
        f"{100 * found.ex.low:+.1f} to {100 * found.ex.high:+.1f}",
        str(found.ex.gained),
        str(found.ex.lost),
        probability(found.ex.p),
        probability(found.p),
        "–" if found.em is None else f"{100 * found.em.share:+.1f}",
    )


def hardness_table(results: Sequence[Result]) -> Table:
    """EX of every point by hardness."""
    levels = [level for level in LEVELS if any(level in r.by_level("ex") for r in results)]
    counts = [sum(each.hardness == level for each in results[0].judged) for level in levels]
    headings = [f"{level} ({count})" for level, count in zip(levels, counts, strict=True)]
    rows = [
        (
            result.point.model,
            result.point.way,
            *(percent(result.by_level("ex").get(level)) for level in levels),
        )
        for result in results
    ]
    return Table("EX % by hardness", ("model", "prompt", *headings), tuple(rows), names=2)


def paper_tables() -> list[Table]:
    """The published figures."""
    pair = "{0[0]:.1f} / {0[1]:.1f}".format
    zero = [(name, *map(pair, pairs)) for name, pairs in paper.ZERO_SHOT.items()]
    zero += [(f"{name}+FK", *map(pair, pairs)) for name, pairs in paper.FOREIGN_KEYS.items()]
    zero += [("OD_P-rule", *map(pair, paper.OD_P_WITHOUT_RULE))]
    zero += [
        (f"{name}+rule", *map(pair, pairs)) for name, pairs in paper.RULE.items() if name != "OD_P"
    ]
    shots = [
        (f"{count} x {name}", *(pair(each) if each else "–" for each in pairs))
        for name, by_shots in paper.SELECTION.items()
        for count, pairs in zip(paper.SHOTS, by_shots, strict=True)
    ]
    headings = ("", *paper.MODELS)
    source = f"EM / EX %, Spider's 1,034 development questions. Source: {paper.SOURCE}."
    return [
        Table("Published, without examples", headings, tuple(zero), note=source),
        Table("Published, CR_P with FI_O", headings, tuple(shots), note=source),
    ]


def as_csv(results: Sequence[Result]) -> str:
    """One line a point, shares from 0 to 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shares = [f"{name}{end}" for name in ("ex", "em", "valid") for end in ("", "_low", "_high")]
    figures = (
        "prompt_tokens",
        "answer_tokens",
        "examples",
        "seconds",
        "cost",
        "failed",
        "cut",
        "thoughts",
    )
    names = list(results[0].point.values)
    writer.writerow([*names, "count", *shares, *figures])
    for result in results:
        values: list[object] = [*result.point.values.values(), len(result.judged)]
        for name in ("ex", "em", "valid"):
            values += [result.share(name), *(result.interval(name) or (None, None))]
        writer.writerow([*values, *(getattr(result, name) for name in figures)])
    return text.getvalue()


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def interval(ends: tuple[float, float] | None) -> str:
    return "–" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
