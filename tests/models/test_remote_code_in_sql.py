"""Models that bring Python code of their own, asked about databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.errors import ConfigError
from luciola.specialist.counting import counter
from support import write_shop

DOUBLE = """    def encode(self, *texts, **settings):
        return super().encode(*texts, **settings) * 2"""
GRID = """
questions: {folder}/questions.jsonl
databases: {folder}/database
models: [{{model: {model}}}]
out: {folder}/study
max_tokens: 2
device: cpu
grids: [{{representations: [CR_P]}}]
"""


def test_a_database_is_learned_and_asked_with_such_a_model_when_asked(
    spelt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = write_shop(tmp_path / "shop.db")
    pair = {"question": "How many shops?", "query": "SELECT count(*) FROM shop"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    train = ["sql", "train", str(shop), "--pairs", f"{tmp_path}/pairs.jsonl", f"model={spelt}"]
    train += [f"out={tmp_path}/run", "max_steps=1", "device=cpu", "adapter=full"]
    assert main(train) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*train, "trust_remote_code=true"]) == 0, capsys.readouterr().err
    ask = ["sql", "ask", str(shop), "how many?", "-m", f"{tmp_path}/run", "--device", "cpu"]
    assert main(ask) == 1
    assert "Python code of its own" in capsys.readouterr().err
    main([*ask, "--trust-remote-code"])
    assert "Python code of its own" not in capsys.readouterr().err
    judge = ["sql", "eval", str(shop), "--pairs", f"{tmp_path}/pairs.jsonl", *ask[4:]]
    assert main(judge) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*judge, "--trust-remote-code"]) == 0, capsys.readouterr().err


def test_prompts_are_counted_and_answered_with_such_a_model_when_asked(
    spelt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its tokenizer's own class counts twice as many tokens as its file says there are."""
    file = spelt / "tokenization_own.py"
    file.write_text(file.read_text().replace("    pass", DOUBLE))
    row = {"prompt": "a", "db_id": "shop"}
    (tmp_path / "prompts.jsonl").write_text(json.dumps(row) + "\n")
    answer = ["sql", "answer", "--prompts", f"{tmp_path}/prompts.jsonl", "--model", str(spelt)]
    answer += ["--out", f"{tmp_path}/out.sql", "--max-tokens", "2", "--device", "cpu"]
    assert main(answer) == 1
    assert "add --trust-remote-code" in capsys.readouterr().err
    assert main([*answer, "--trust-remote-code"]) == 0, capsys.readouterr().err
    at_a_server = [*answer[:4], "--endpoint", "http://localhost:1", "--name", "x", *answer[6:]]
    assert main([*at_a_server, "--trust-remote-code"]) == 2
    assert "--trust-remote-code goes with --model" in capsys.readouterr().err
    _write_question(tmp_path)
    prompts = ["sql", "prompts", "--questions", f"{tmp_path}/questions.jsonl"]
    prompts += ["--databases", f"{tmp_path}/database", "--out", f"{tmp_path}/shown.jsonl"]
    assert main(prompts) == 0
    tokens = counter(str(spelt))(json.loads((tmp_path / "shown.jsonl").read_text())["prompt"])
    prompts += ["--tokenizer", str(spelt), "--max-tokens", f"{tokens}", "--max-answer-tokens", "0"]
    assert main(prompts) == 0
    assert "too long" not in capsys.readouterr().out
    assert main([*prompts, "--trust-remote-code"]) == 0
    assert f"too long for {tokens} tokens" in capsys.readouterr().out
    (spelt / "tokenizer.json").rename(spelt / "own.json")
    with pytest.raises(ConfigError, match="there is no tokenizer"):
        counter(str(spelt))


def _write_question(folder: Path) -> None:
    """A question of the shop's database, as a study and prompts read it."""
    (folder / "database/shop").mkdir(parents=True)
    write_shop(folder / "database/shop/shop.sqlite")
    row = {"db_id": "shop", "question": "How many?", "query": "SELECT count(*) FROM product"}
    (folder / "questions.jsonl").write_text(json.dumps(row) + "\n")


def test_a_study_asks_such_a_model_when_told(
    spelt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_question(tmp_path)
    grid = tmp_path / "grid.yaml"
    grid.write_text(GRID.format(folder=tmp_path, model=spelt))
    assert main(["sql", "ablate", str(grid)]) == 1
    assert "Python code of its own" in capsys.readouterr().err
    trusted = "models=[{model: " + f"{spelt}, trust_remote_code: true" + "}]"
    assert main(["sql", "ablate", str(grid), trusted]) == 0, capsys.readouterr().err
