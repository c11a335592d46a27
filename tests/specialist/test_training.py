"""A specialist is trained on a representation, found again and asked in it, as a user does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.specialist.expertise import Expertise
from support import write_model

ROWS = [
    {"question": "How many shops are there?", "query": "SELECT count(*) FROM shop"},
    {"question": "How many cities?", "query": "SELECT count(*) FROM city"},
    {"question": "Shops in Bath", "query": "SELECT name FROM shop WHERE city_id = 1"},
]
QUICK = ["adapter=full", "epochs=90", "lr=1e-2", "batch=3", "precision=fp32", "device=cpu"]


@pytest.fixture
def pairs() -> str:
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return "pairs.jsonl"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "model", context=1024))


@pytest.mark.parametrize("form", ["chat=false", "chat=true"])
def test_a_model_learns_to_go_on_from_select(
    shop: Path, pairs: str, model: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Knowing nothing before, it has three pairs by heart and gives their rows afterwards."""
    judge = ["sql", "eval", str(shop), "--pairs", pairs, "--device", "cpu", "--model"]
    assert main([*judge, model]) == 0
    assert "execution accuracy 0.0% (0 of 3)" in capsys.readouterr().out
    train = ["sql", "train", str(shop), "--pairs", pairs, f"model={model}", "prompt=TR_P"]
    assert main([*train, "rule=true", form, "out=run", *QUICK]) == 0
    taught = Expertise.load("run/model")
    assert (taught.prompt, taught.rule, taught.chat) == ("TR_P", True, form == "chat=true")
    assert main([*judge, "run/model"]) == 0
    assert "execution accuracy 100.0% (3 of 3)" in capsys.readouterr().out
    assert main(["sql", "ask", str(shop), ROWS[0]["question"], "--model", "run/model"]) == 0
    assert "SELECT count(*) FROM shop\n" in capsys.readouterr().out


def test_held_out_pairs_are_put_in_the_same_form(
    shop: Path, pairs: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["sql", "train", str(shop), "--pairs", pairs, f"model={model}", "prompt=CR_P"]
    assert main([*train, f"eval_pairs={pairs}", "max_steps=1", "out=run", *QUICK[3:]]) == 0
    evaluated = json.loads(Path("run/report.json").read_text())["evaluations"]
    assert evaluated[-1]["step"] == 1
    assert "3 pairs of question and SQL in CR_P" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["prompt=CR_P", "foreign_keys=false"], "CR_P shows foreign keys in its CREATE TABLE"),
        (["prompt=SQLCOT"], "it asks to think first"),
        (["prompt=CR_P", "augment=true"], "augment needs prompt=copying"),
    ],
)
def test_what_cannot_be_trained_is_said_at_once(
    shop: Path, pairs: str, settings: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the model is looked for: this one is not there."""
    train = ["sql", "train", str(shop), "--pairs", pairs, "model=./nowhere", *settings]
    assert main(train) == 2
    assert said in capsys.readouterr().err
