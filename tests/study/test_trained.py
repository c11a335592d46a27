"""A model that `luciola sql train` wrote is asked in its own form, as a user does it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from luciola.cli.main import main
from luciola.config import from_mapping
from luciola.config.study import StudyConfig
from luciola.specialist.expertise import Expertise
from luciola.specialist.study.grid import plan
from luciola.specialist.study.models import open_model
from luciola.specialist.study.trained import as_trained
from support import write_model

TAUGHT = Expertise(prompt="OD_P", foreign_keys=True, rule=False, strip_suffix=True)


def study(folder: Path, **model: object) -> StudyConfig:
    folder.mkdir(exist_ok=True)
    TAUGHT.save(folder)
    given = {
        "questions": "q.jsonl",
        "models": [{"model": str(folder), **model}],
        "grids": [{"representations": ["OWN"]}],
        "out": "out",
    }
    return as_trained(from_mapping(StudyConfig, given))


def test_a_folder_says_how_its_model_is_asked(tmp_path: Path) -> None:
    config = study(tmp_path / "tuned")
    assert config.models[0].raw is True
    assert [point.variant for point in plan(config).points] == ["OD_P+FK-rule"]


def test_what_the_grid_says_of_a_model_goes_before_its_folder(tmp_path: Path) -> None:
    config = study(tmp_path / "tuned", raw=False, representation="TR_P", foreign_keys=True)
    assert config.models[0].raw is False
    assert [point.variant for point in plan(config).points] == ["TR_P+FK"]
    assert study(tmp_path / "tuned", foreign_keys=False).models[0].foreign_keys is False


def test_a_model_behind_an_address_or_without_a_representation_is_a_chat(tmp_path: Path) -> None:
    away = study(tmp_path / "tuned", url="http://localhost:1/v1")
    assert (away.models[0].raw, away.models[0].representation) == (False, "")
    Expertise().save(tmp_path / "tuned")
    (own,) = as_trained(away).models
    assert (own.raw, own.representation) == (False, "")


def test_a_trained_model_is_studied_in_its_own_form(
    zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its prompts lose the blank that it learned to write, which is one token of this model's."""
    base = write_model(tmp_path / "base", context=2048)
    train = ["sql", "train", str(zoo / "database"), "--pairs", str(zoo / "pool.jsonl")]
    way = ["prompt=TR_P", "foreign_keys=true", "strip_suffix=true", "max_steps=2"]
    assert main([*train, f"model={base}", *way, f"out={tmp_path / 'run'}", "device=cpu"]) == 0
    grid = {
        "questions": str(zoo / "questions.jsonl"),
        "databases": str(zoo / "database"),
        "tables": str(zoo / "tables.json"),
        "models": [
            {"model": str(tmp_path / "run" / "model"), "name": "tuned"},
            {"model": str(base), "name": "base", "raw": True, "representation": "TEXTWFK"},
        ],
        "grids": [{"representations": ["OWN"]}],
        "out": str(tmp_path / "out"),
        "max_tokens": 3,
        "device": "cpu",
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
    assert main(["sql", "ablate", str(tmp_path / "grid.yaml")]) == 0
    points = json.loads((tmp_path / "out" / "results.json").read_text())["points"]
    tuned, plain = ({**point["point"], **point} for point in points)
    assert tuned["way"] == plain["way"] == "TR_P+FK"
    assert tuned["prompt_tokens"] == plain["prompt_tokens"] - 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_study_keeps_to_a_servers_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float | None, float | None]] = []
    monkeypatch.setattr("luciola.sql.asking.endpoint.Pace", lambda *given: seen.append(given))
    limits = {"requests_per_minute": 20, "tokens_per_minute": 4e4}
    config = study(tmp_path / "tuned", url="http://localhost:1/v1", **limits)
    open_model(config.models[0], config)
    open_model(replace(config.models[0], requests_per_minute=0.0), config)
    assert seen == [(20.0, 4e4), (None, 4e4)]
