"""What came of an evaluation: shares with intervals, by hardness, database and component."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from luciola.sql.official.evaluate import Judged, Options
from luciola.sql.official.execution import UNREADABLE
from luciola.sql.official.hardness import LEVELS
from luciola.sql.official.match import COMPONENTS, Score

FAILURES_SHOWN = 20
SHARES = ("em", "ex", "ts", "valid")
BIRD_LEVELS = ("simple", "moderate", "challenging")
BIRD_RULE = "ex by BIRD's rule: the sets of rows are equal, columns in their order"
NORMAL_95 = 1.959964


def report(judged: Sequence[Judged], options: Options) -> dict[str, Any]:
    """The whole report, ready for JSON: `summary` and `examples`."""
    return {"summary": summary(judged, options), "examples": [_example(each) for each in judged]}


def summary(judged: Sequence[Judged], options: Options) -> dict[str, Any]:
    """Shares from 0 to 1, over the examples whose gold query works; None where none was judged."""
    levels = [each for each in judged if each.hardness is not None]
    return {
        **_shares(judged),
        "count": len(judged),
        "intervals": {name: interval(judged, name) for name in SHARES},
        "by_hardness": _by(levels, lambda each: str(each.hardness), LEVELS),
        "by_difficulty": _by(judged, lambda each: each.difficulty, _difficulties(judged)),
        "by_database": _by(judged, lambda each: each.db_id, sorted({j.db_id for j in judged})),
        "partial": partial(judged),
        "mode": "bird" if options.bird else "official" if options.official else "default",
        "gold_failures": [each.index for each in judged if _gold_fails(each)],
        "not_judged": [each.index for each in judged if each.is_unreadable],
        "differs_from_official": [each.index for each in judged if each.official],
    }


def interval(judged: Iterable[Judged], name: str) -> list[float] | None:
    """The 95 % interval of a share after Wilson 1927; None where nothing was judged."""
    values = [getattr(each, name) for each in judged if getattr(each, name) is not None]
    if not values:
        return None
    count, share, z = len(values), sum(values) / len(values), NORMAL_95
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    root = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    half = z * root / (1 + z * z / count)
    return [max(0.0, centre - half), min(1.0, centre + half)]


def partial(judged: Sequence[Judged]) -> dict[str, dict[str, float]]:
    """Accuracy, recall and F1 of each component, averaged as the official evaluator does.

    Accuracy is over the examples whose prediction has the component, recall over those whose gold
    has it, and F1 is 1 where both are 0.
    """
    scores = [each.partial for each in judged if each.partial]
    return {name: _averages([score[name] for score in scores]) for name in COMPONENTS if scores}


def table(judged: Sequence[Judged], options: Options) -> str:
    """The report to be read: shares by hardness and in all, then what failed and why."""
    named = [name for name in SHARES if name in options.metrics or _known(judged, name)]
    levels = {} if options.bird and not _difficulties(judged) else _levels(judged)
    groups = {**levels, "all": judged}
    width = max(9, *(len(level) + 1 for level in groups))
    lines = [" " * width + "".join(f"{title:>9}" for title in ("count", *named))]
    lines += [level.rjust(width) + _cells(group, named) for level, group in groups.items()]
    lines += [_interval(judged, name) for name in named if _known(judged, name)]
    lines += [BIRD_RULE] if options.bird else []
    return "\n".join([*lines, *_databases(judged, named), *_notes(judged, options)])


def _known(judged: Sequence[Judged], name: str) -> int:
    """How many have a verdict."""
    return sum(getattr(each, name) is not None for each in judged)


def _interval(judged: Sequence[Judged], name: str) -> str:
    low, high = interval(judged, name) or (0.0, 0.0)
    known = _known(judged, name)
    of = f", over {known} of {len(judged)}" if known < len(judged) else ""
    return f"{name}: 95 % interval {low:.1%} to {high:.1%}{of}"


def _levels(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The examples by the data set's own difficulty; by hardness where it has none."""
    own = _difficulties(judged)
    key = "difficulty" if own else "hardness"
    groups = {level: [j for j in judged if getattr(j, key) == level] for level in own or LEVELS}
    return {level: group for level, group in groups.items() if group}


def _difficulties(judged: Sequence[Judged]) -> list[str]:
    """The words for difficulty that there are."""
    return sorted_difficulties(each.difficulty for each in judged)


def sorted_difficulties(words: Iterable[str]) -> list[str]:
    """Each word once: BIRD's in their order, then others as they come; "" is none."""
    found = dict.fromkeys(word for word in words if word)
    return sorted(found, key=lambda word: BIRD_LEVELS.index(word) if word in BIRD_LEVELS else 9)


def _databases(judged: Sequence[Judged], named: Sequence[str]) -> list[str]:
    databases = sorted({each.db_id for each in judged})
    if len(databases) < 2:
        return []
    width = max(map(len, databases)) + 2
    rows = [[each for each in judged if each.db_id == db_id] for db_id in databases]
    pairs = zip(databases, rows, strict=True)
    return ["", *(db_id.ljust(width) + _cells(row, named) for db_id, row in pairs)]


def _notes(judged: Sequence[Judged], options: Options) -> list[str]:
    notes = []
    unread = [each for each in judged if each.hardness is None and not each.is_unreadable]
    if unread and ("em" in options.metrics or not (options.bird or _difficulties(judged))):
        lacking = "em and hardness" if "em" in options.metrics else "hardness"
        notes.append(f"without {lacking} because gold does not parse: {len(unread)}")
        notes += _reasons(unread, only="gold")
    if failing := [each for each in judged if _gold_does_not_run(each)]:
        notes.append(f"left out because gold fails: {len(failing)}")
        notes += _reasons(failing)
    if unreadable := [each for each in judged if each.is_unreadable]:
        notes.append(f"left out because the database cannot be read: {len(unreadable)}")
        notes += _reasons(unreadable)
    if wrong := [each for each in judged if _is_wrong(each)]:
        notes.append(f"wrong by a metric: {len(wrong)}")
        notes += _reasons(wrong)
    differing = [each for each in judged if each.official]
    if differing:
        numbers = ", ".join(each.place for each in differing[:FAILURES_SHOWN])
        more = ", …" if len(differing) > FAILURES_SHOWN else ""
        notes.append(f"--official judges {len(differing)} otherwise: {numbers}{more}")
    elif not (options.official or options.bird):
        notes.append("--official gives the same verdicts")
    return ["", *notes] if notes else []


def _reasons(judged: Sequence[Judged], only: str = "") -> list[str]:
    """Why, for each; `only` the error of that name, where several are known."""
    shown = judged[:FAILURES_SHOWN]
    lines = [f"  {j.place}, {j.db_id}: {j.errors.get(only) or _error(j)}" for j in shown]
    left = len(judged) - FAILURES_SHOWN
    return [*lines, f"  and {left} more (--json FILE lists all)"] if left > 0 else lines


def _cells(judged: Sequence[Judged], named: Sequence[str]) -> str:
    shares = _shares(judged)
    cells = ["–" if shares[name] is None else f"{shares[name]:.1%}" for name in named]
    return f"{len(judged):>9}" + "".join(f"{cell:>9}" for cell in cells)


def _shares(judged: Sequence[Judged]) -> dict[str, float | None]:
    def share(name: str) -> float | None:
        values = [getattr(each, name) for each in judged if getattr(each, name) is not None]
        return sum(values) / len(values) if values else None

    return {name: share(name) for name in SHARES}


def _by(
    judged: Sequence[Judged], key: Callable[[Judged], str], names: Iterable[str]
) -> dict[str, Any]:
    groups = {name: [each for each in judged if key(each) == name] for name in names}
    return {
        name: {"count": len(group), **_shares(group)} for name, group in groups.items() if group
    }


def _averages(scores: Sequence[Score]) -> dict[str, float]:
    predicted = [score.equal for score in scores if score.predicted]
    gold = [score.equal for score in scores if score.gold]
    accuracy = sum(predicted) / len(predicted) if predicted else 0.0
    recall = sum(gold) / len(gold) if gold else 0.0
    both = accuracy + recall
    return {"acc": accuracy, "rec": recall, "f1": 2 * accuracy * recall / both if both else 1.0}


def _gold_fails(judged: Judged) -> bool:
    return any(error.startswith("gold") for error in judged.errors.values())


def _gold_does_not_run(judged: Judged) -> bool:
    return any(error.startswith("gold fails") for error in judged.errors.values())


def _is_wrong(judged: Judged) -> bool:
    return False in (judged.em, judged.ex, judged.ts)


def _error(judged: Judged) -> str | None:
    named = [
        text if text.startswith(UNREADABLE) else f"{name}: {text}"
        for name, text in judged.errors.items()
    ]
    return "; ".join(dict.fromkeys(named)) or None


def _example(judged: Judged) -> dict[str, Any]:
    verdicts = {name: _number(getattr(judged, name)) for name in SHARES}
    return {
        "index": judged.index,
        "line": judged.line or None,
        "db_id": judged.db_id,
        "hardness": judged.hardness,
        "difficulty": judged.difficulty or None,
        **verdicts,
        "error": _error(judged),
        "partial": {name: int(score.equal) for name, score in judged.partial.items()},
        "official": {name: int(value) for name, value in judged.official.items()},
    }


def _number(verdict: bool | None) -> int | None:
    return None if verdict is None else int(verdict)
