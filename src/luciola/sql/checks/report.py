"""What a check found, as text and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luciola.data.summary import counted
from luciola.sql.checks.check import Checked
from luciola.sql.checks.finding import KINDS, Finding
from luciola.sql.table import one_line, shortened

SHOWN = 5
"""Findings of each kind that the text shows; the JSON report has all."""
LONGEST = 200
"""Characters of a finding that the text shows."""


def text(checked: Checked, *, shown: int = SHOWN) -> str:
    """Counts of every kind that was found, then the first findings of each."""
    splits = ", ".join(f"{name} {count:,}" for name, count in checked.splits.items())
    last = list(checked.splits.values())[-1:]
    asked = f"{splits} {'question' if last == [1] else 'questions'}, " if last else ""
    number = counted(checked.databases, "database")
    lines = [f"{checked.path}: {asked}{number}", ""]
    groups = grouped(checked.findings)
    lines += [f"{KINDS[kind][0]:8} {len(found):>6,}  {KINDS[kind][1]}" for kind, found in groups]
    lines += [_verdict(checked)]
    for kind, found in groups:
        lines += ["", f"{KINDS[kind][1]} ({len(found):,})"]
        lines += [f"  {_short(f'{each.place}: {each.message}')}" for each in found[:shown]]
        if len(found) > shown:
            lines.append(f"  and {len(found) - shown:,} more")
    return "\n".join(lines)


def report(checked: Checked) -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        "path": str(checked.path),
        "splits": dict(checked.splits),
        "databases": checked.databases,
        "broken": checked.is_broken,
        "summary": {kind: len(found) for kind, found in grouped(checked.findings)},
        "findings": [
            {"kind": each.kind, "level": each.level, "place": each.place, "message": each.message}
            for each in checked.findings
        ],
    }


def grouped(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    """The findings by kind, the gravest kind first, without kinds that were not found."""
    found = {kind: [each for each in findings if each.kind == kind] for kind in KINDS}
    return [(kind, each) for kind, each in found.items() if each]


def _verdict(checked: Checked) -> str:
    if not checked.findings:
        return "nothing found"
    return "broken" if checked.is_broken else "nothing broken"


def _short(line: str) -> str:
    return shortened(one_line(line[: 2 * LONGEST]), LONGEST)
