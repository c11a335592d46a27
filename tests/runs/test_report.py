"""The report of a run and its curve."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from luciola.runs.curve import curve_svg, thinned, ticks
from luciola.runs.report import table, write_report

SVG = "{http://www.w3.org/2000/svg}"


def test_both_reports_hold_the_same_figures(tmp_path: Path) -> None:
    figures = {"loss": 0.61254, "steps": 12345, "eval": {"loss": 0.5}, "packed": True}
    rows = [{"step": 1, "loss": 2.0}, {"step": 1, "eval/loss": 1.9}, {"step": 2, "loss": None}]
    write_report(
        tmp_path,
        figures,
        title="Run one",
        sections={"Data": "12 rows.", "Model": {"parameters": 135_000_000}},
        metrics=rows,
    )
    assert json.loads((tmp_path / "report.json").read_text()) == figures
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Run one\n\n| figure | value |\n| --- | --- |\n| loss | 0.6125 |\n")
    for line in ("| steps | 12,345 |", "| eval.loss | 0.5 |", "| packed | yes |"):
        assert line in text
    assert "## Data\n\n12 rows.\n\n## Model\n\n" in text
    assert "| parameters | 135,000,000 |" in text
    assert "](loss.svg)" in text
    assert (tmp_path / "loss.svg").exists()


def test_without_a_loss_there_is_no_curve(tmp_path: Path) -> None:
    write_report(tmp_path, {"steps": 0}, title="Nothing")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]
    assert "loss.svg" not in (tmp_path / "report.md").read_text()


def test_a_figure_that_is_no_number_keeps_the_json_valid(tmp_path: Path) -> None:
    write_report(tmp_path, {"a": {"loss": float("nan")}, "b": [float("inf")]}, title="t")
    assert json.loads((tmp_path / "report.json").read_text()) == {"a": {"loss": None}, "b": [None]}


def test_a_table_survives_bars_and_line_breaks() -> None:
    assert "| system | a \\| b c |" in table({"system": "a | b\nc"})


def test_the_curve_puts_points_where_the_axes_say() -> None:
    """Loss 2 at step 0 is the top left corner of the frame, loss 0 at step 10 the bottom right."""
    root = ElementTree.fromstring(curve_svg({"training": [(0, 2), (10, 0)]}))
    line = root.find(f"{SVG}polyline")
    assert line is not None
    (x0, y0), (x1, y1) = (map(float, pair.split(",")) for pair in line.attrib["points"].split())
    grid = sorted({float(entry.attrib["y1"]) for entry in root.findall(f"{SVG}line")})
    assert (x0, y0) == (56.0, grid[0])
    assert (x1, y1) == (640 - 24, 320 - 44)
    texts = [entry.text for entry in root.findall(f"{SVG}text")]
    assert {"step", "loss", "training", "0", "2", "10"} <= set(texts)


def test_every_series_has_its_line_and_its_name() -> None:
    svg = curve_svg({"training": [(1, 2), (2, 1)], "<eval>": [(1, 3)], "none": []})
    root = ElementTree.fromstring(svg)
    assert len(root.findall(f"{SVG}polyline")) == len(root.findall(f"{SVG}circle")) == 1
    texts = [entry.text for entry in root.findall(f"{SVG}text")]
    assert "<eval>" in texts
    assert "none" not in texts


@pytest.mark.parametrize("points", [[], [(1, 2.5)], [(1, float("nan")), (2, 1.0)], [(5, 0.0)]])
def test_a_curve_of_almost_nothing_is_still_a_picture(points: list[tuple[float, float]]) -> None:
    svg = curve_svg({"training": points})
    ElementTree.fromstring(svg)
    assert not re.search(r"nan|inf", svg)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.31, 2.4, [0, 0.5, 1, 1.5, 2, 2.5]),
        (3, 3, [3, 4]),
        (-0.1, 0.1, [-0.1, -0.05, 0, 0.05, 0.1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(
    low: float, high: float, wanted: list[float]
) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_a_long_series_is_averaged_not_cut() -> None:
    """Pairs of neighbours: means of 0.5, 2.5, 4.5, ..."""
    assert thinned([(i, float(i)) for i in range(8)], most=4) == [
        (0.5, 0.5),
        (2.5, 2.5),
        (4.5, 4.5),
        (6.5, 6.5),
    ]
    assert len(thinned([(i, 1.0) for i in range(100_003)])) == 300
