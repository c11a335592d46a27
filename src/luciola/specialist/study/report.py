"""The report of a study: results.json and .csv, report.md and .html, and figures/."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.config.study import StudyConfig
from luciola.config.write import as_mapping
from luciola.errors import MissingExtraError
from luciola.runs.atomic import write_atomically
from luciola.specialist.study import curves, efficiency, figures, paper
from luciola.specialist.study.comparisons import REFERENCES, Comparison, comparisons
from luciola.specialist.study.grid import Plan
from luciola.specialist.study.marks import models_of
from luciola.specialist.study.material import Material
from luciola.specialist.study.models import without_keys
from luciola.specialist.study.page import Section, page
from luciola.specialist.study.panels import save
from luciola.specialist.study.results import Result, as_json
from luciola.specialist.study.tables import (
    Table,
    as_csv,
    comparison_table,
    hardness_table,
    paper_tables,
    points_table,
)
from luciola.sql.official.hardness import LEVELS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
BARS = "Bars are 95 % intervals."
HOLLOW = f"Hollow markers are published figures of far larger models ({paper.SOURCE})."


def write_report(
    folder: Path, config: StudyConfig, plan: Plan, material: Material, results: Sequence[Result]
) -> str:
    """Write everything; says where it is and what stands out."""
    found = comparisons(results)
    drawn = _draw(folder / "figures", results, found)
    sections = _sections(results, found, drawn)
    facts = _facts(config, plan, material, results, found)
    files = {
        "results.json": _json(config, results, found),
        "results.csv": as_csv(results),
        "report.md": _markdown(facts, sections),
        "report.html": page("A study of prompts for SQL", facts, sections, folder / "figures"),
    }
    for name, text in files.items():
        write_atomically(folder / name, text)
    return _said(folder, plan, results)


def _draw(folder: Path, results: Sequence[Result], found: Sequence[Comparison]) -> set[str]:
    """Draw what there are points for; the names of the figures."""
    makers: dict[str, Callable[[], Figure | None]] = {
        "representations": lambda: figures.representations(results),
        "foreign-keys": lambda: figures.effects(found, "foreign keys", paper.keys_effect()),
        "rule": lambda: figures.effects(found, "rule", paper.rule_effect()),
        "selection": lambda: curves.by_shots(results, "selection"),
        "organization": lambda: curves.by_shots(results, "organization"),
        "tokens": lambda: efficiency.tokens(results),
        "hardness": lambda: figures.hardness(results),
    }
    drawn: set[str] = set()
    for name, make in makers.items():
        try:
            figure = make()
        except MissingExtraError as error:
            log.warning("no figures: %s", error)
            return drawn
        if figure is not None:
            save(figure, folder, name)
            drawn.add(name)
    return drawn


def _sections(
    results: Sequence[Result], found: Sequence[Comparison], drawn: set[str]
) -> list[Section]:
    compared = {
        what: comparison_table(what, found)
        for what in REFERENCES
        if any(each.what == what for each in found)
    }

    def section(title: str, text: str, name: str, caption: str, *tables: Table | None) -> Section:
        kept = tuple(table for table in tables if table is not None)
        return Section(title, text, name if name in drawn else "", caption, kept)

    sections = [
        section(
            "Representation",
            "How the database and the question are written, without examples; foreign keys and "
            "rule as in the paper's figure 1.",
            "representations",
            f"EX and EM by representation. {BARS} {HOLLOW}",
            compared.get("representation"),
        ),
        section(
            "Foreign keys",
            "The same prompt with foreign keys, on the same questions.",
            "foreign-keys",
            f"Points of EX that foreign keys gain. {BARS} {HOLLOW}",
            compared.get("foreign keys"),
        ),
        section(
            "The rule",
            'The same prompt with "no explanation" in it, on the same questions.',
            "rule",
            f"Points of EX that the rule gains. {BARS} {HOLLOW}",
            compared.get("rule"),
        ),
        section(
            "Selection of examples",
            "Which examples stand before the question.",
            "selection",
            f"EX by the number of examples, for each selection. {BARS} {HOLLOW}",
            compared.get("selection"),
            compared.get("examples"),
        ),
        section(
            "Organization of examples",
            "How an example is shown: in full (FI_O), its SQL (SO_O), its question and SQL "
            "(DAIL_O).",
            "organization",
            f"EX by the number of examples, for each organization. {BARS} {HOLLOW}",
            compared.get("organization"),
        ),
        section(
            "What a token buys",
            "EX against the tokens of a prompt. Which points lie on the line is chosen on the same "
            "questions, so that the best ones are a little too good.",
            "tokens",
            "EX against tokens of a prompt; numbered are the points that no cheaper one reaches.",
        ),
        section(
            "Hardness",
            "Of each model's best prompt without examples, and with examples.",
            "hardness",
            f"EX by hardness of the gold query. {BARS}",
            hardness_table(results),
        ),
        section("Votes", "Several answers against one.", "", "", compared.get("votes")),
        Section("All points", tables=(points_table(results),)),
        Section("Published figures", tables=tuple(paper_tables())),
    ]
    return [each for each in sections if each.figure or each.tables]


def _facts(
    config: StudyConfig,
    plan: Plan,
    material: Material,
    results: Sequence[Result],
    found: Sequence[Comparison],
) -> list[str]:
    levels = Counter(level or "unknown" for level in material.levels)
    ordered = [level for level in (*LEVELS, "unknown") if levels[level]]
    parts = ", ".join(f"{levels[level]} {level}" for level in ordered)
    facts = [
        f"{len(material.questions)} questions of {config.questions} ({parts}), "
        f"{len({asked.db_id for asked in material.questions})} databases.",
        f"{plan.summary()}; {len(results)} are finished.",
        "EX: the result is that of the gold query, on one database. EM: Spider's exact set match, "
        "which asks for gold's style as well.",
        f"{len(found)} comparisons were made; p is of McNemar's exact test, p (Holm) is corrected "
        "for their number.",
    ]
    if config.original:
        facts.append("Replies are read, and SQL is judged, exactly as the published programs do.")
    if failed := sum(result.failed for result in results):
        facts.append(f"{failed} questions got no answer and count as wrong; run it again.")
    if material.num_in_pool:
        done = "may be" if config.allow_self else "are left out of"
        facts.append(
            f"{material.num_in_pool} questions stand in the pool themselves and {done} their own "
            "examples."
        )
    if cut := sum(result.cut for result in results):
        facts.append(
            f"{cut} questions have an answer that was cut off after {config.max_tokens} tokens; "
            "allow more with max_tokens."
        )
    if thoughts := sum(result.thoughts for result in results):
        facts.append(f"{thoughts} questions got thoughts without an answer and count as wrong.")
    short = [r for r in results if r.examples < r.point.shots]
    if short:
        facts.append(f"In {len(short)} points the context held fewer examples than were asked for.")
    return facts


def _markdown(facts: Sequence[str], sections: Sequence[Section]) -> str:
    lines = ["# A study of prompts for SQL", "", *(f"* {fact}" for fact in facts), ""]
    for each in sections:
        lines += [f"## {each.title}", ""]
        lines += [each.text, ""] if each.text else []
        if each.figure:
            lines += [f"![{each.caption}](figures/{each.figure}.svg)", ""]
        lines += [table.markdown() for table in each.tables]
    return "\n".join(lines)


def _json(config: StudyConfig, results: Sequence[Result], found: Sequence[Comparison]) -> str:
    compared = [
        {
            "what": each.what,
            "reference": each.reference.point.values,
            "point": each.result.point.values,
            "ex": vars(each.ex),
            "em": None if each.em is None else vars(each.em),
            "p_holm": each.p,
        }
        for each in found
    ]
    whole = {
        "grid": as_mapping(without_keys(config)),
        "points": [as_json(result) for result in results],
        "comparisons": compared,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _said(folder: Path, plan: Plan, results: Sequence[Result]) -> str:
    lines = [f"{folder / 'report.html'}: {len(results)} of {len(plan.points)} points"]
    for model in models_of(results):
        own = [r for r in results if r.point.model == model and r.share("ex") is not None]
        if own:
            best = max(own, key=lambda r: r.share("ex") or 0.0)
            lines.append(f"{model}: best is {best.point.way} with EX {best.share('ex'):.1%}")
    return "\n".join(lines)
