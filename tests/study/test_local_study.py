"""A study of a real model, tiny and untrained, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_model

GRID = """
questions: {zoo}/questions.jsonl
databases: {zoo}/database
tables: {zoo}/tables.json
pool: {zoo}/pool.jsonl
models:
  - {{model: {model}, name: chat}}
  - {{model: {model}, name: raw, raw: true, representation: TR_P}}
out: {out}
max_tokens: 4
limit: 3
grids:
  - representations: [OWN]
  - representations: [CR_P]
    shots: [0, 1]
    organizations: [DAIL_O]
    models: [chat]
"""


@pytest.fixture
def grid(zoo: Path, tmp_path: Path) -> str:
    model = write_model(tmp_path / "model", context=2048)
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.format(zoo=zoo, model=model, out=tmp_path / "out"))
    return str(path)


def points(out: Path) -> dict[str, dict[str, object]]:
    rows = json.loads((out / "results.json").read_text())["points"]
    return {f"{row['point']['model']} {row['way']}": row for row in rows}


def test_a_grid_goes_from_the_command_line_to_a_report(
    grid: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["sql", "ablate", grid, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 points, 1 of them for the first answers of others, 1 combinations" in said
    assert "about" not in said  # the model's own tokenizer counts
    assert main(["sql", "ablate", grid]) == 0
    said = capsys.readouterr()
    assert "4/4 raw TR_P: ex 0.0%" in said.err
    assert "4 of 4 points" in said.out
    out = tmp_path / "out"
    found = points(out)
    assert list(found) == [
        "chat CR_P",
        "chat CR_P 1 x MQS_S DAIL_O",
        "chat CR_P 1 x DAIL_S DAIL_O",
        "raw TR_P",
    ]
    assert all(float(str(found[name]["seconds"])) > 0 for name in ("chat CR_P", "raw TR_P"))
    assert len((out / "figures" / "tokens.svg").read_bytes()) > 1000

    # Answers are kept: with the verdicts gone, nothing is sampled again.
    for path in (out / "points").iterdir():
        path.unlink()
    monkeypatch.setattr("luciola.rollout.naive.NaiveSampler.sample", None)
    monkeypatch.setattr("luciola.specialist.study.report._draw", lambda *given: set())
    assert main(["sql", "ablate", grid]) == 0
    again = points(out)
    assert {row["seconds"] for row in again.values()} == {None}
    assert all(again[name]["answers"] == found[name]["answers"] for name in found)
    assert main(["sql", "ablate", grid, "--report-only"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["grids=[{representation: [CR_P]}]"], "Did you mean grids[0].representations?"),
        (["models=[{model: nowhere/at/all, name: chat}]"], "nowhere/at/all"),
        (["models=[{model: m, raw: maybe}]"], "models[0].raw must be true or false, got 'maybe'"),
        (["questions=nothing.jsonl"], "nothing.jsonl"),
        (["databases=nothing"], "questions.jsonl:1: there is no database 'zoo' in nothing"),
        (["grids=[{representations: [CR_P], shots: [1], selections: [NEAR]}]"], "no selection"),
        (["first_answers=first.sql"], "first_answers is a file of SQL, or MQS_S or ZERO_SHOT"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    grid: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sql", "ablate", grid, *words]) != 0
    text = capsys.readouterr().err
    assert said in text
    assert "Traceback" not in text
