"""The recipes' scripts, run at a reduced size: what they make fits together."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main
from support import write_model

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes"
SMALL = ["max_length=250", "device=cpu", "precision=fp32"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "model"))


def script(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluations(run: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads(Path(run, "report.json").read_text())["evaluations"]
    return found


def test_the_chain_goes_from_comparisons_to_a_policy(model: str) -> None:
    """Imitation, reward model, PPO: each reads what the one before wrote."""
    draw = random.Random(0)
    rows = [
        {
            "prompt": [{"role": "user", "content": f"say {word}"}],
            "chosen": [{"role": "assistant", "content": word * 2}],
            "rejected": [{"role": "assistant", "content": "no"}],
        }
        for word in (draw.choice(["tea", "sun", "sea"]) for _ in range(24))
    ]
    script(
        str(RECIPES / "preference" / "chain.sh"), write("pairs.jsonl", rows), "chain", model,
        *SMALL, "batch=8", PPO="iterations=2 rollouts=16 max_new_tokens=6", SFT="lr=1e-2",
    )  # fmt: skip
    assert Path("chain/sft/model/adapter_model.safetensors").is_file()
    assert json.loads(Path("chain/reward/report.json").read_text())["judgement"]["pairs"] > 0
    assert len(evaluations("chain/ppo")) == 3
    assert Path("chain/ppo/trace.html").is_file()


def test_a_sentiment_model_becomes_the_reward_of_the_reviews(model: str) -> None:
    words = {"pos": ["good", "lovely", "fine"], "neg": ["bad", "awful", "dull"]}
    draw = random.Random(1)
    sentences = [
        {"text": f"a {draw.choice(words[label])} film {i}", "label": label}
        for i in range(560)
        for label in words
    ]
    reviews = [
        {"text": f"this film number {i} is about the sea and", "label": "pos"} for i in range(80)
    ]
    write("sentences.jsonl", sentences)
    write("whole.jsonl", reviews)
    script(
        sys.executable, str(RECIPES / "reviews" / "prepare.py"), "sentences.jsonl", "whole.jsonl"
    )
    held_out = Path("reviews/held_out.jsonl").read_text().splitlines()
    assert len(held_out) == 500
    Path("reviews/held_out.jsonl").write_text("\n".join(held_out[:40]) + "\n")
    recipe = str(RECIPES / "reviews" / "sentiment.yaml")
    assert main(["train", "reward", recipe, f"model={model}", *SMALL, "lr=1e-2", "epochs=4"]) == 0
    judged = json.loads(Path("runs/sentiment/report.json").read_text())["judgement"]
    assert judged["accuracy"] > 0.8
    recipe = str(RECIPES / "reviews" / "ppo.yaml")
    settings = ["iterations=2", "rollouts=16", "batch=8", "max_new_tokens=6"]
    assert main(["train", "ppo", recipe, f"model={model}", *SMALL, *settings]) == 0
    assert [one["step"] for one in evaluations("runs/reviews")] == [0, 16]


def test_too_few_sentences_make_no_empty_files() -> None:
    write("few.jsonl", [{"text": "a fine film", "label": "pos"}])
    command = [sys.executable, str(RECIPES / "reviews" / "prepare.py"), "few.jsonl", "few.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "0 sentences of the rarer label and 1 reviews are too few" in done.stderr
    assert not Path("reviews").exists()
