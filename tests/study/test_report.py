"""The figures, tables and page of a study."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pytest

from luciola.specialist.study import curves, efficiency, figures, paper, report
from luciola.specialist.study.comparisons import comparisons
from luciola.specialist.study.grid import Plan, Point
from luciola.specialist.study.material import Material
from luciola.specialist.study.page import Section, page
from luciola.specialist.study.panels import save
from luciola.specialist.study.results import Result
from luciola.specialist.study.tables import Table, hardness_table, points_table
from luciola.sql.official.evaluate import Judged

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
LEVELS = ("easy", "medium", "hard", "extra")
CODE = Point("m", "CR_P", True, "plain")
TEXT = Point("m", "TR_P", False, "plain")


def result(point: Point, right: Sequence[bool], tokens: float = 100.0) -> Result:
    """A point whose questions are easy, medium, hard, extra, easy, …"""
    judged = tuple(
        Judged(index, "zoo", LEVELS[index % 4], em=False, ex=ok, valid=True)
        for index, ok in enumerate(right)
    )
    return Result(point, judged, ("SELECT 1",) * len(right), tokens, 5.0, point.shots, 0.1, 0.0)


def shown(model: str, shots: int, selection: str, organization: str) -> Point:
    return Point(model, "CR_P", True, "plain", shots, selection, organization)


@pytest.fixture(scope="module")
def study() -> list[Result]:
    """One model: two representations, keys and rule, two selections and two organizations."""
    half = [index % 2 == 0 for index in range(24)]
    points = [
        CODE,
        TEXT,
        Point("m", "TR_P", True, "plain"),
        Point("m", "TR_P", False, "rule"),
        *(shown("m", shots, s, "FI_O") for shots in (1, 3) for s in ("RANDOM", "DAIL_S")),
        *(shown("m", shots, "DAIL_S", "DAIL_O") for shots in (1, 3)),
    ]
    return [
        result(point, [ok or index < number for index, ok in enumerate(half)], 100 + 50 * number)
        for number, point in enumerate(points)
    ]


def texts(figure: object, folder: Path) -> str:
    """The words of a figure, from its SVG with text as text."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(folder / "drawn.svg")  # type: ignore[attr-defined]
    root = ET.parse(folder / "drawn.svg").getroot()  # our own file
    return " ".join(text.strip() for text in root.itertext() if text.strip())


def test_representations_stand_beside_the_published_ones(
    study: list[Result], tmp_path: Path
) -> None:
    words = texts(figures.representations(study), tmp_path)
    assert all(word in words for word in ("TR_P", "CR_P", "EX", "EM", "Vicuna-33B", "right, %"))
    assert figures.representations(study[:1]) is None


def test_effects_are_drawn_for_what_was_compared(study: list[Result], tmp_path: Path) -> None:
    found = comparisons(study)
    words = texts(figures.effects(found, "foreign keys", paper.keys_effect()), tmp_path)
    assert "points of EX gained" in words
    assert figures.effects(found, "votes", {}) is None


def test_curves_are_drawn_for_selections_and_organizations(
    study: list[Result], tmp_path: Path
) -> None:
    words = texts(curves.by_shots(study, "selection"), tmp_path)
    assert all(word in words for word in ("RANDOM", "DAIL_S", "CR_P FI_O", "examples"))
    assert "CR_P DAIL_O" not in words  # there is but one selection
    words = texts(curves.by_shots(study, "organization"), tmp_path)
    assert "CR_P DAIL_S" in words
    assert curves.by_shots(study[:4], "selection") is None


def test_the_front_keeps_what_nothing_beats_in_both(tmp_path: Path) -> None:
    """More tokens must buy more: 200 tokens with the same EX, and 300 with less, are beaten."""
    shares = {100: 2, 200: 2, 300: 1, 400: 3}
    rows = [
        result(Point(str(n), "TR_P", False, "plain"), [True] * right + [False] * (4 - right), n)
        for n, right in shares.items()
    ]
    assert [row.prompt_tokens for row in efficiency.front(rows)] == [100, 400]
    assert efficiency.front([]) == []


def test_tokens_and_hardness_are_drawn(study: list[Result], tmp_path: Path) -> None:
    words = texts(efficiency.tokens(study), tmp_path)
    assert "tokens of a prompt" in words
    assert "no shorter prompt is as good" in words
    words = texts(figures.hardness(study), tmp_path)
    assert all(level in words for level in LEVELS)


def test_the_same_figure_gives_the_same_bytes(study: list[Result], tmp_path: Path) -> None:
    for name in ("one", "two"):
        save(figures.hardness(study), tmp_path / name, "f")  # type: ignore[arg-type]
    for ending in ("png", "svg"):
        one, two = ((tmp_path / name / f"f.{ending}").read_bytes() for name in ("one", "two"))
        assert one == two


def test_comparisons_change_one_thing(study: list[Result]) -> None:
    found = comparisons(study)
    seen = {(each.what, each.reference.point.way, each.result.point.way) for each in found}
    assert ("foreign keys", "TR_P", "TR_P+FK") in seen
    assert ("rule", "TR_P", "TR_P+rule") in seen
    assert ("representation", "CR_P", "TR_P") in seen
    assert ("selection", "CR_P 3 x RANDOM FI_O", "CR_P 3 x DAIL_S FI_O") in seen
    assert ("organization", "CR_P 3 x DAIL_S FI_O", "CR_P 3 x DAIL_S DAIL_O") in seen
    assert ("examples", "CR_P", "CR_P 1 x RANDOM FI_O") in seen
    assert all(each.p >= each.ex.p for each in found)
    assert {what for what, _, _ in seen} == {
        "foreign keys", "rule", "representation", "selection", "organization", "examples"
    }  # fmt: skip


def test_models_are_never_compared_with_each_other() -> None:
    rows = [
        result(Point(m, "TR_P", keys, "plain"), [True] * 4)
        for m, keys in (("a", True), ("b", False))
    ]
    assert comparisons(rows) == []


def test_tables_say_shares_and_intervals() -> None:
    """3 of 4: Wilson gives 30.1 to 95.4."""
    (row,) = points_table([result(CODE, [True, True, True, False])]).rows
    assert row[:6] == ("m", "CR_P", "75.0", "30.1 to 95.4", "0.0", "0.0 to 49.0")
    table = hardness_table([result(CODE, [True, True, True, False])])
    assert table.headings[2:] == ("easy (1)", "medium (1)", "hard (1)", "extra (1)")
    assert table.rows[0][2:] == ("100.0", "100.0", "100.0", "0.0")


def test_the_published_figures_are_those_of_the_source() -> None:
    """Spot checks, and what the paper says of them: the rule never hurts EX of these models."""
    assert paper.ZERO_SHOT["OD_P"][1] == (48.8, 75.5)
    assert paper.SELECTION["DAIL_S"][2][0] == (71.9, 82.4)
    assert paper.ORGANIZATION["Vicuna-33B"]["DAIL_O"][-1] == 51.8
    assert all(gain > 0 for gains in paper.rule_effect().values() for gain in gains)
    assert paper.keys_effect()["TR_P"][0] == -0.2
    for model, lines in paper.ORGANIZATION.items():
        column = paper.MODELS.index(model)
        assert {line[0] for line in lines.values()} == {paper.ZERO_SHOT["CR_P"][column][1]}
        by_shots = [pairs[column] for pairs in paper.SELECTION["DAIL_S"]]
        assert [p[1] for p in by_shots if p] == [ex for ex in lines["FI_O"][1:4] if ex is not None]


def test_the_page_shows_hostile_words_as_words(tmp_path: Path) -> None:
    table = Table("<b>", ("model",), (("<script>alert(1)</script>",),))
    text = page("T & <i>", ["a < b"], [Section("<s>", tables=(table,))], tmp_path)
    assert "<script>" not in text
    assert "T &amp; &lt;i&gt;" in text


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_shows_the_page_with_its_figures(study: list[Result], tmp_path: Path) -> None:
    few = [*study[:3], study[-1]]
    plan = Plan(tuple(row.point for row in few), (), 0, 0)
    material = Material((), (), (), (), None, tmp_path, {})  # type: ignore[arg-type]
    from luciola.config import from_mapping
    from luciola.config.study import StudyConfig

    given = {"questions": "q", "models": ["m"], "grids": [{}], "out": str(tmp_path)}
    report.write_report(tmp_path, from_mapping(StudyConfig, given), plan, material, few)
    whole = (tmp_path / "report.html").read_text()
    counting = "document.title=[...document.images].filter(i=>i.complete&&i.naturalWidth).length"
    (tmp_path / "page.html").write_text(whole + f"<script>onload=()=>{counting}</script>")
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=1000"]
    command += ["--dump-dom", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "<title>4</title>" in done.stdout
    words = unescape(re.sub(r"<[^>]*>", " ", done.stdout))
    assert "CR_P 3 x DAIL_S DAIL_O" in words
    assert "http" not in re.sub(r"data:image[^\"]*", "", whole)  # nothing from elsewhere
