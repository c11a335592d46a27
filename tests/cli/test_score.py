"""`luciola score`: a file of answers, or one on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import luciola
from luciola.cli.main import main
from luciola.models.scorer import Scorer
from support import write_model

ROWS = [
    {"instruction": f"ask {n}", "output": [f"please {n}", f"no! {n}", *["meh"] * (n % 2)]}
    for n in range(12)
]


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model that has learned its twelve comparisons."""
    folder = tmp_path_factory.mktemp("reward")
    write_model(folder / "model")
    data = write(folder / "ranked.jsonl", ROWS)
    luciola.reward_model(
        model=str(folder / "model"), data=data, epochs=20, lr=3e-3, max_length=64, batch=12,
        precision="fp32", device="cpu", out=str(folder / "run"),
    )  # fmt: skip
    return folder / "run"


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["score", *words, "--device", "cpu"]) == 0
    return capsys.readouterr().out


def test_one_answer_is_scored(reward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (expected,) = Scorer.load(reward, "cpu").score(["ask 3"], ["please 3"])
    output = printed(capsys, str(reward), "--prompt", "ask 3", "--answer", "please 3")
    assert output.strip() == f"{expected:.4f}"


def test_a_file_of_preferences_is_scored_and_compared(
    reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Thirty answers; best against worst is right in every list."""
    data = write(tmp_path / "ranked.jsonl", ROWS)
    output = printed(capsys, str(reward), data, "--out", "scores.jsonl")
    assert "30 answers: mean " in output
    assert "12 comparisons: 100.0% of their pairs judged as given" in output
    rows = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 13))
    assert [row["answers"] for row in rows] == [row["output"] for row in ROWS]
    assert all(row["scores"][0] > row["scores"][1] for row in rows)


def test_a_file_of_chats_is_scored(
    reward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last answer after all before it; as the same prompt and answer apart."""
    turns = [{"role": "user", "content": "ask 1"}, {"role": "assistant", "content": "no! 1"}]
    data = write(tmp_path / "chats.jsonl", [{"messages": turns}])
    (expected,) = Scorer.load(reward, "cpu").score(["ask 1"], ["no! 1"])
    output = printed(capsys, str(reward), data)
    assert f"1 answer: mean {expected:.4f}" in output
    assert "comparisons" not in output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["MODEL"], "give either a file of answers or one --answer"),
        (["MODEL", "FILE", "--answer", "x"], "give either a file of answers or one --answer"),
        (["nowhere/at/all", "--answer", "x"], "nowhere/at/all"),
        (["MODEL", "nowhere.jsonl"], "no such file"),
        (["MODEL", "FILE"], "there is no answer at the end to be scored"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], sentence: str, reward: Path, tmp_path: Path, capsys: Any
) -> None:
    file = write(tmp_path / "texts.jsonl", [{"text": "plain"}])
    given = {"MODEL": str(reward), "FILE": file}
    assert main(["score", *(given.get(word, word) for word in words)]) in (1, 2)
    assert sentence in capsys.readouterr().err
