"""`luciola sql`: the whole way with a tiny model and a tiny database."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_model, write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.db")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"question": "How many shops are there?", "query": "SELECT COUNT(*) FROM shop"},
        {"question": "How many cities?", "query": "SELECT COUNT(*) FROM city"},
        {"question": "Shops in Bath", "query": "SELECT name FROM shop WHERE city_id = 1"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", context=1024)


def test_inspecting_shows_tables_keys_and_values(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sql", "inspect", str(shop)]) == 0
    shown = capsys.readouterr().out
    assert "2 tables, 5 columns, 5 rows" in shown
    assert "-> city" in shown
    assert "O'Fallon, South, East" in shown


def test_a_specialist_is_trained_found_again_and_asked(
    shop: Path, pairs: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained by heart on three pairs, it answers one of them with the right rows."""
    train = ["sql", "train", str(shop), "--pairs", str(pairs), f"model={model}", "adapter=full"]
    settings = ["epochs=90", "lr=1e-2", "batch=3", "precision=fp32", "device=cpu"]
    assert main([*train, *settings]) == 0
    assert "Ask it: luciola sql ask" in capsys.readouterr().out
    assert main(["sql", "ask", str(shop), "How many shops are there?", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "SELECT COUNT(*) FROM shop" in shown
    assert "3\n1 row in" in shown
    trained = next(Path("runs").rglob("model"))
    judged = ["sql", "eval", str(shop), "--pairs", str(pairs), "--model", str(trained)]
    assert main([*judged, "--out", "answers.jsonl", "--device", "cpu"]) == 0
    assert "execution accuracy 100.0% (3 of 3)" in capsys.readouterr().out
    assert len(Path("answers.jsonl").read_text().splitlines()) == 3


def test_the_copying_prompt_goes_the_same_way(
    shop: Path, pairs: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step in augmented form, remembered in the model's folder and asked in that form."""
    train = ["sql", "train", str(shop), "--pairs", str(pairs), f"model={model}", "max_steps=1"]
    assert main([*train, "prompt=copying", "augment=true", "device=cpu", "out=run"]) == 0
    known = json.loads(Path("run/model/specialist.json").read_text())
    assert known["prompt"] == "copying"
    judged = ["sql", "eval", str(shop), "--pairs", str(pairs), "--model", "run/model"]
    assert main([*judged, "--device", "cpu"]) == 0
    assert "of 3)" in capsys.readouterr().out


@pytest.mark.parametrize("prompt", ["house", "copying"])
def test_held_out_pairs_give_an_evaluation_loss_and_the_best_weights(
    prompt: str, shop: Path, pairs: Path, model: Path
) -> None:
    train = ["sql", "train", str(shop), "--pairs", str(pairs), f"model={model}", "epochs=2"]
    settings = [f"eval_pairs={pairs}", "patience=5", f"prompt={prompt}", "device=cpu", "out=run"]
    assert main([*train, *settings]) == 0
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    losses = [row["eval/loss"] for row in rows if "eval/loss" in row]
    report = json.loads(Path("run/report.json").read_text())
    assert len(losses) == 2
    assert report["eval_loss"] == pytest.approx(min(losses))


def test_patience_without_held_out_pairs_is_refused(
    shop: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sql", "train", str(shop), "--pairs", str(pairs), "model=m", "patience=2"]
    assert main(words) == 2
    assert "patience needs held-out data\n  → Give eval_pairs" in capsys.readouterr().err


def test_predictions_from_a_file_are_judged_line_by_line(
    shop: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right, wrong, and one that does not run; a line too few is an error."""
    file = Path("answers.sql")
    file.write_text("SELECT count(id) FROM shop\nSELECT 7\nSELECT nothing FROM shop\n")
    judged = ["sql", "eval", str(shop), "--pairs", str(pairs), "--predictions", str(file)]
    assert main(judged) == 0
    shown = capsys.readouterr().out
    assert "execution accuracy 33.3% (1 of 3)" in shown
    assert "did not run 33.3% (1 of 3)" in shown
    file.write_text("SELECT 1\n")
    assert main(judged) == 1
    assert "has 1 predictions for 3 pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sql", "ask", "nowhere.db", "How many?"], "there is no database file nowhere.db"),
        (["sql", "inspect", "text.db"], "is not a SQLite database"),
        (["sql", "eval", "shop.db", "--pairs", "p.jsonl"], "either --model or --predictions"),
        (["sql", "ask", "shop.db", "How many?"], "no model under runs/ was trained on"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], sentence: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.db").write_text("no database at all, only text\n")
    assert main(words) in (1, 2)
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not Path("nowhere.db").exists()


def test_questions_are_read_from_the_input_until_it_ends(
    shop: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty lines are passed over, and an answer that does not run stops nothing."""
    monkeypatch.setattr("sys.stdin", io.StringIO('How many shops?\n\nWhat\'s "new"?\n'))
    assert main(["sql", "ask", str(shop), "--model", str(model), "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("error: ") == 2
    assert "Traceback" not in printed.err


def test_an_answer_that_does_not_run_ends_in_its_reason(
    shop: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the SQL before it; here the model has learned nothing."""
    words = ["sql", "ask", str(shop), "How many?", "--model", str(model), "--device", "cpu"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.out.strip()
    assert printed.err.splitlines()[-1].startswith("error: ")
