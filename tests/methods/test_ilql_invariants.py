"""What must hold of whole runs of ILQL: losses by hand, layouts, resuming, processes, answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

import luciola
from luciola.methods.running import Result
from luciola.models.load import load_model
from luciola.models.q_heads import WEIGHTS, heads_for
from luciola.rollout.ilql import IlqlModel
from luciola.training.loop import Loop
from support import build_tokenizer, write_model

FAST: dict[str, Any] = {
    "max_length": 24, "max_new_tokens": 4, "batch": 8, "lr": 3e-3, "precision": "fp32",
    "device": "cpu", "prompt_format": "text", "adapter": "full", "schedule": "constant",
    "warmup": 0,
}  # fmt: skip
SAMPLES = [
    {"samples": ["hi", "yes", "and", "no"], "reward": 1.5},
    {"prompt": "how", "output": "well", "reward": -0.5},
    {"samples": ["a", "bcd", "ef", "g", "hij", "k"], "reward": 0.25},
    {"prompt": "what", "output": "e", "reward": 2.0},
    {"prompt": "so", "output": "very long", "reward": 0.0},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_model(tmp_path_factory.mktemp("ilql") / "model"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(model: str, out: str, rows: Any = SAMPLES, **settings: Any) -> Result:
    return luciola.ilql(model=model, data=rows, out=out, **{**FAST, **settings})


def rows(run: Result | Path) -> list[dict[str, Any]]:
    folder = run if isinstance(run, Path) else run.folder
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(run: Result) -> dict[str, Tensor]:
    return {**load_file(run.model / "model.safetensors"), **load_file(run.model / WEIGHTS)}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def phrases(row: dict[str, Any]) -> list[str]:
    return row["samples"] if "samples" in row else [row["prompt"], row["output"]]


@torch.no_grad()
def losses_by_hand(model: str, tau: float, gamma: float, beta: float) -> dict[str, float]:
    """The four losses at the start of a run, dialogue by dialogue and action by action.

    An output of n tokens from place o on has its actions' states at o - 1 to o + n - 2; the last
    action is followed by nothing.
    """
    language: Any = load_model(model)
    heads = heads_for(language, two_qs=True, run_seed=0)
    tokenizer = build_tokenizer()
    rewards = torch.tensor([row["reward"] for row in SAMPLES], dtype=torch.float64)
    scaled = (rewards - rewards.mean()) / rewards.std()
    sums = dict.fromkeys(("losses/q", "losses/value", "losses/cql", "losses/awac", "count"), 0.0)
    for row, reward in zip(SAMPLES, scaled.tolist(), strict=True):
        ids: list[int] = []
        states: list[int] = []
        for index, phrase in enumerate(phrases(row)):
            new = tokenizer(phrase, add_special_tokens=False)["input_ids"]
            if index == len(phrases(row)) - 1:
                new = [*new, tokenizer.eos_token_id]
            if index % 2:
                states += range(len(ids) - 1, len(ids) + len(new) - 1)
            ids += new
        out = language(torch.tensor([ids]), output_hidden_states=True)
        logits, hidden = out.logits[0], out.hidden_states[-1][0]
        qs = [head(hidden) for head in heads.q_heads]
        values = heads.v_head(hidden)[:, 0]
        for place, state in enumerate(states):
            action = ids[state + 1]
            is_last = place + 1 == len(states)
            wanted = reward if is_last else gamma * float(values[states[place + 1]])
            target = min(float(q[state, action]) for q in qs)  # the slow heads are still the same
            difference = target - float(values[state])
            sums["losses/q"] += sum((float(q[state, action]) - wanted) ** 2 for q in qs)
            sums["losses/value"] += (tau if difference >= 0 else 1 - tau) * difference**2
            sums["losses/cql"] -= sum(float(F.log_softmax(q[state], 0)[action]) for q in qs)
            cloning = -float(F.log_softmax(logits[state], 0)[action])
            sums["losses/awac"] += cloning * float(torch.tensor(beta * difference).exp())
            sums["count"] += 1
    count = sums.pop("count")
    return {name: total / count for name, total in sums.items()}


@pytest.mark.parametrize("packing", ["padded", "packed"])
def test_the_first_losses_are_those_worked_out_action_by_action(model: str, packing: str) -> None:
    run = train(model, "run", max_steps=1, tau=0.8, gamma=0.9, awac_beta=0.7, packing=packing)
    expected = losses_by_hand(model, 0.8, 0.9, 0.7)
    first = rows(run)[0]
    assert {name: first[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    total = expected["losses/q"] + expected["losses/value"]
    total += 0.1 * expected["losses/cql"] + expected["losses/awac"]
    assert first["loss"] == pytest.approx(total, rel=1e-4)


def test_layout_and_micro_batches_change_nothing(model: str) -> None:
    ways: list[dict[str, Any]] = [
        {"packing": "padded"},
        {"packing": "padded", "micro_tokens": 24},
        {"packing": "packed"},
        {"packing": "packed", "micro_tokens": 30},
    ]
    runs = [train(model, f"run{i}", epochs=6, sync_every=2, **way) for i, way in enumerate(ways)]
    losses = [[row["loss"] for row in rows(run)] for run in runs]
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-3)


def test_the_targets_move_a_share_of_the_way_every_few_steps(model: str) -> None:
    """At step 2 of 3 they go a tenth of the way from the start to the heads of step 2."""
    settings = {"epochs": 1, "batch": 2, "sync_every": 2, "alpha": 0.1}
    start = heads_for(load_model(model), two_qs=True, run_seed=0).state_dict()
    one, two, three = (weights(train(model, f"s{n}", max_steps=n, **settings)) for n in (1, 2, 3))
    for name in (name for name in start if name.startswith("target_q_heads")):
        fast = name.removeprefix("target_")
        assert torch.equal(one[name], start[name])
        torch.testing.assert_close(two[name], start[name].lerp(two[fast], 0.1))
        assert torch.equal(three[name], two[name])
        assert not torch.equal(three[fast], two[fast])


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_stopped_run_goes_on_bit_for_bit(
    adapter: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the targets have moved and before they move again."""
    settings = {"adapter": adapter, "epochs": 4, "batch": 2, "sync_every": 3, "save_every": 1}
    whole = train(model, "whole", **settings)
    save = Loop._save_if_due

    def stopping(self: Any) -> None:
        save(self)
        if self.counters.step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_save_if_due", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(model, "parts", **settings)
    parts = train(model, "parts", **settings)
    for file in (
        WEIGHTS,
        "model.safetensors" if adapter == "full" else "adapter_model.safetensors",
    ):
        assert equal(load_file(whole.model / file), load_file(parts.model / file))
    losses = [[(row["step"], row["loss"]) for row in rows(run)] for run in (whole, parts)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 12


def test_two_processes_train_as_one(model: str) -> None:
    """torchrun with two CPU processes, of which one has no row left in some steps."""
    Path("samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in SAMPLES))
    settings = {
        **FAST,
        "epochs": 3,
        "batch": 3,
        "micro_tokens": 40,
        "sync_every": 2,
        "model": model,
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29741"]
    command = [*launcher, "-m", "luciola", "train", "ilql", *words, "data=samples.jsonl", "out=two"]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(Path("two/report.json").read_text())["processes"] == 2
    one = rows(train(**{**settings, "out": "one", "rows": "samples.jsonl"}))
    two = rows(Path("two"))
    for name in ("loss", "losses/q", "losses/value", "losses/cql", "losses/awac"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], rel=1e-3)


def good(outputs: list[str]) -> list[float]:
    return [float(output == "good") for output in outputs]


CHOICES = [
    {"prompt": prompt, "output": output, "reward": float(output == "good")}
    for prompt in ("hello", "how are you", "tell me")
    for output in ("good", "evil", "evil", "evil")
]


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_large_beta_answers_with_what_was_rewarded(adapter: str, model: str) -> None:
    """A quarter of the logged answers is good, so that beta 0 gives about that; and the model
    answers as well when it is loaded from its folder.
    """
    run = train(
        model, "run", CHOICES, adapter=adapter, epochs=80, batch=12, lr=1e-2, alpha=0.5,
        max_new_tokens=5, decode_beta=[0, 20], eval_prompts=["hello", "tell me"],
        eval_answers=20, eval_every=80, metric=good,
    )  # fmt: skip
    last = run.figures["evaluations"][-1]
    assert last["good@beta=20"] > 0.9
    assert last["good@beta=0"] < 0.6
    loaded = IlqlModel.load(run.folder, device="cpu")
    answers = loaded.answer(["hello", "tell me"] * 5)
    assert sum(answer.text == "good" for answer in answers) >= 9
    plain = loaded.answer(["hello", "tell me"] * 10, beta=0)
    assert sum(answer.text == "evil" for answer in plain) >= 1


def test_a_forbidden_token_is_never_said(model: str) -> None:
    """g may not come after o: after hello, nothing good can be said."""
    run = train(model, "run", CHOICES, epochs=60, batch=12, lr=1e-2, alpha=0.5, max_new_tokens=5)
    loaded = IlqlModel.load(run.model, device="cpu")
    tokenizer = loaded.tokenizer
    last, first = (tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in "og")
    forbidden = torch.zeros(loaded.heads.vocabulary, loaded.heads.vocabulary, dtype=torch.bool)
    forbidden[last, first] = True
    free = loaded.answer(["hello"] * 10, beta=20)
    bound = loaded.answer(["hello"] * 10, beta=20, forbidden=forbidden)
    assert sum(answer.text.startswith("g") for answer in free) >= 8
    assert not any(answer.text.startswith("g") for answer in bound)
