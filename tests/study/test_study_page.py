"""What the page about studies shows, works."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import yaml

from luciola.config import from_mapping, load
from luciola.config.study import Grid, StudyConfig
from luciola.specialist.study.grid import plan

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")


def test_the_grid_on_the_page_loads_and_has_points() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = plan(from_mapping(StudyConfig, yaml.safe_load(block)))
    assert {point.model for point in found.points} == {"smollm2-135m", "tuned", "gpt-4o-mini"}
    assert [p.way for p in found.of("tuned")] == [p.way for p in found.of("smollm2-135m")]


def test_the_page_names_every_list_of_a_grid() -> None:
    table = PAGE[PAGE.index("| list |") : PAGE.index("DAIL_S and QRS_S compare")]
    assert all(f"`{field.name}`" in table for field in fields(Grid))


def test_the_recipe_has_the_points_that_the_page_says() -> None:
    found = plan(load(StudyConfig, ROOT / "recipes" / "text2sql" / "ablation.yaml"))
    per_model = len(found.of("smollm2-135m"))
    assert f"in {per_model} ways each" in PAGE
    assert per_model == len(found.points) / 2
