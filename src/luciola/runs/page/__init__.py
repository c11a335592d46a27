"""The page that `luciola trace` makes: one HTML file that needs nothing else, not even a network.

The parts beside this file are put together here. The scripts are read in the order of SCRIPTS and
share one scope. The page may run only what is in it: its policy names the hash of the script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from luciola.runs.curve import Point, thinned
from luciola.runs.trace import AnswerTrace

SCRIPTS = ("words", "columns", "arithmetic", "phases", "colours", "answer", "curves", "page")
MARK = '<meta name="generator" content="luciola trace">'
"""By which a page is known again, so that it may be replaced."""
DIGITS = 6
"""Significant digits on the page; it reckons with them and shows four."""
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What must not stand in a script element as it is."""


def trace_page(
    answers: Sequence[AnswerTrace], metrics: Iterable[Mapping[str, Any]] = (), *, run: str
) -> str:
    """The page of a run.

    Args:
        answers: of an iteration and prompt that occur twice, the later one counts.
        metrics: rows of `metrics.jsonl`, for the curves.
        run: its name, for the title.
    """
    script = "\n".join(["'use strict';", *(_part(f"{name}.js") for name in SCRIPTS)])
    style = _part("page.css")
    filled = {
        "policy": f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}",
        "title": escape(run),
        "style": style,
        "data": _inert(json.dumps(_data(answers, metrics, run), ensure_ascii=False)),
        "script": script,
    }
    page = _part("page.html")
    pieces = page.split("@@")  # text, name, text, name, ...: what is filled in is not read again
    pieces[1::2] = [filled[name] for name in pieces[1::2]]
    return "".join(pieces)


def is_trace_page(path: Path) -> bool:
    """Whether a file is a page that `trace_page` made."""
    try:
        with path.open(encoding="utf-8") as file:
            return MARK in file.read(4096)
    except (OSError, UnicodeDecodeError):
        return False


def _data(
    answers: Sequence[AnswerTrace], metrics: Iterable[Mapping[str, Any]], run: str
) -> dict[str, Any]:
    latest = {(answer.iteration, answer.prompt_index): answer for answer in answers}
    texts = {answer.prompt_index: answer.prompt for answer in latest.values()}
    places = {index: place for place, index in enumerate(texts)}
    rows = [
        {**answer.to_json(DIGITS), "prompt": places[answer.prompt_index]}
        for _, answer in sorted(latest.items())
    ]
    prompts = list(texts.values())
    return {"run": run, "prompts": prompts, "answers": rows, "metrics": _series(metrics)}


def _series(metrics: Iterable[Mapping[str, Any]]) -> dict[str, list[Point]]:
    """(step, value) of each figure, no more points than a curve can show."""
    series: dict[str, list[Point]] = {}
    for row in metrics:
        for name, value in row.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if name != "step" and is_number and math.isfinite(value):
                series.setdefault(name, []).append((row["step"], float(f"{value:.{DIGITS}g}")))
    return {name: thinned(points) for name, points in series.items()}


def _inert(text: str) -> str:
    """JSON that can end no element, whatever a model wrote."""
    return "".join(ESCAPES.get(character, character) for character in text)


def _part(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", errors="replace")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
