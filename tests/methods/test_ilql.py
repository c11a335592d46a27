"""Runs of ILQL: evaluations, the recipe of the random walks, what is refused, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.errors import ConfigError, DataError, ModelError
from luciola.methods.logged import LoggedPlan
from luciola.methods.running import Result
from luciola.rollout.ilql import IlqlModel
from luciola.tasks import randomwalks
from luciola.types import Message

FAST: dict[str, Any] = {
    "lr": 3e-3, "batch": 16, "max_length": 48, "max_new_tokens": 8, "precision": "fp32",
    "device": "cpu",
}  # fmt: skip
ROWS = [
    {"prompt": f"ask {n}", "output": ("yes" if n % 3 else "no"), "reward": float(not n % 3)}
    for n in range(48)
]
"""A third of the answers is no, and only these are worth something."""
Run = Callable[..., Result]


@pytest.fixture
def run(model_folder: Path) -> Run:
    def train(**settings: Any) -> Result:
        return luciola.ilql(**{"model": str(model_folder), "data": ROWS, **FAST, **settings})

    return train


def rows(result: Result | Path) -> list[dict[str, Any]]:
    folder = result if isinstance(result, Path) else result.folder
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(result: Result | Path, name: str = "loss") -> list[float]:
    return [row[name] for row in rows(result) if name in row]


def weights(result: Result) -> dict[str, torch.Tensor]:
    files = sorted(result.model.glob("*.safetensors"))
    return {f"{f.name}:{name}": t for f in files for name, t in load_file(f).items()}


def says_no(outputs: Sequence[str]) -> list[float]:
    return [float(output == "no") for output in outputs]


def test_answers_are_judged_at_every_beta_before_the_first_step_and_after(run: Run) -> None:
    """By a metric and a reward; and the last beta is kept with the model."""
    result = run(
        epochs=24, adapter="full", packing="padded", gamma=1, alpha=0.5, decode_beta=[0, 20],
        metric=says_no, reward=[says_no], eval_prompts=["ask 1", "ask 4", "ask 7"], eval_answers=8,
        eval_every=72,
    )  # fmt: skip
    first, last = result.figures["evaluations"]
    assert (first["step"], last["step"]) == (0, 72)
    for name in ("says_no", "score", "length"):
        assert {f"{name}@beta=0", f"{name}@beta=20"} <= last.keys()
    assert last["says_no@beta=20"] == last["score@beta=20"] > 0.9
    assert 0.05 < last["says_no@beta=0"] < 0.7
    report = json.loads((result.folder / "report.json").read_text())
    assert report["evaluations"] == [first, last]
    answers = IlqlModel.load(result.folder, device="cpu").answer(["ask 1", "ask 4"])
    assert [answer.text for answer in answers] == ["no", "no"]


def test_a_run_does_not_go_on_with_other_rewards(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "samples.jsonl"

    def write(offset: int) -> None:
        changed = [{**row, "reward": row["reward"] * (n + offset)} for n, row in enumerate(ROWS)]
        file.write_text("".join(json.dumps(row) + "\n" for row in changed))

    write(0)
    plain = LoggedPlan.step

    def failing(plan: LoggedPlan, step: int) -> Any:
        if step == 2:
            raise RuntimeError("power cut")
        return plain(plan, step)

    with monkeypatch.context() as patched:
        patched.setattr(LoggedPlan, "step", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            run(data=str(file), out="run", save_every=1)
    write(1)
    with pytest.raises(DataError, match="samples have changed"):
        run(data=str(file), out="run", save_every=1)


def test_the_model_that_is_left_loads_plainly_and_with_its_heads(
    run: Run, model_folder: Path
) -> None:
    """An adapter is merged; what it answers is what the trained roles answer."""
    from peft import AutoPeftModelForCausalLM

    result = run(adapter="lora", max_steps=4, temperature=0.5, top_k=7, decode_beta=[0, 3])
    AutoPeftModelForCausalLM.from_pretrained(result.model)
    model = IlqlModel.load(result.folder, device="cpu")
    card = model.card
    assert (card.beta, card.temperature, card.top_k, card.chat) == (3, 0.5, 7, True)
    turns = (Message("user", "ask 1"),)
    texts = model.answer(["ask 1", turns, "ask 1"], seed=4)
    assert texts[0].text == model.answer([turns], seed=4)[0].text, "a prompt is a user's turn"
    assert model.answer(["ask 1"], seed=4, max_new_tokens=2)[0].tokens <= 2
    with pytest.raises(ModelError, match="no heads of ILQL"):
        IlqlModel.load(model_folder, device="cpu")


def test_a_part_of_the_random_walks_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe with a model of one layer, in 70 steps. Steering finds short ways where imitation
    wanders; bench/randomwalks.py runs it in full.
    """
    from luciola.config.ilql import IlqlConfig
    from luciola.config.load import load
    from luciola.methods.ilql_runs import run
    from luciola.tasks import walkers

    monkeypatch.setenv("LUCIOLA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(walkers, "LAYERS", 1)
    monkeypatch.setattr(walkers, "WIDTH", 48)
    recipe = Path(__file__).parents[2] / "recipes" / "randomwalks" / "ilql.yaml"
    settings = ["out=walks", "epochs=7", "eval_every=70", "lr=3e-3", "alpha=0.3"]
    result = run(load(IlqlConfig, recipe, settings), show=False)
    last = result.figures["evaluations"][-1]
    assert last["optimality@beta=100"] > last["optimality@beta=0"] + 0.3
    assert last["optimality@beta=100"] > 0.7
    mask = ~torch.from_numpy(randomwalks.graph().adjacency)
    forbidden = torch.ones(23, 23, dtype=torch.bool)
    forbidden[:21, :21] = mask
    forbidden[0, 22] = False
    model = IlqlModel.load("walks", device="cpu")
    prompts = randomwalks.prompts()
    answers = model.answer(prompts, forbidden=forbidden, beta=0, max_new_tokens=9)
    walks = [prompt + answer.text for prompt, answer in zip(prompts, answers, strict=True)]
    edges = randomwalks.graph().adjacency
    numbers = [[ord(letter) - 97 for letter in walk] for walk in walks]
    assert all(edges[a, b] for walk in numbers for a, b in pairwise(walk))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"patience": 1}, "patience needs an evaluation loss"),
        ({"tau": 1.5}, "tau must be at least 0 and at most 1"),
        ({"decode_beta": []}, "decode_beta must not be empty"),
        ({"decode_beta": [-1]}, r"decode_beta\[0\] must be at least 0"),
        ({"max_new_tokens": 48}, "max_new_tokens leaves no room in 48 tokens"),
        ({"eval_prompts": "prompts.txt"}, "eval_prompts are answered, but nothing judges"),
        ({"metric": "mine.py:good"}, "metric has no answers to judge"),
        ({"reward": ["length:1-3"]}, "reward has no answers to judge"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    run: Run, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run(**settings)


def test_a_dry_run_counts_and_writes_nothing(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from luciola.cli.main import main

    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    words = [f"model={model_folder}", "data=samples.jsonl", "max_length=48", "max_new_tokens=8"]
    assert main(["train", "ilql", *words, "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "48 samples with" in output
    assert "9 steps of 16 samples, 3 an epoch" in output
    assert not Path("runs").exists()
    assert main(["train", "ilql", words[0], "data=sample.jsonl", "--dry-run"]) == 1
    assert "Did you mean samples.jsonl" in capsys.readouterr().err
