"""Whole runs of the online methods on a tiny model: learning, resuming, several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.errors import TrainingError
from luciola.methods.online import diagnosis
from luciola.methods.running import Result
from luciola.training.loop import Loop
from support import write_model

PROMPTS = ["hello", "how are you", "what is this", "tell me"]
FAST: dict[str, Any] = {
    "iterations": 12, "rollouts": 32, "batch": 16, "max_new_tokens": 8, "lr": 5e-3,
    "precision": "fp32", "device": "cpu", "trace_prompts": 2,
}  # fmt: skip

REWARD = "def count_e(answers):\n    return [a.count('e') for a in answers]\n"


def count_e(answers: Sequence[str]) -> list[float]:
    """A reward that a tiny model learns in seconds."""
    return [float(answer.count("e")) for answer in answers]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_model(tmp_path_factory.mktemp("online") / "model"))


def train(method: str, model: str, **settings: Any) -> Result:
    given = {"prompts": PROMPTS, "reward": count_e, "model": model, **FAST, **settings}
    return getattr(luciola, method)(**given)


def rows(result: Result | Path) -> list[dict[str, Any]]:
    folder = result if isinstance(result, Path) else result.folder
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def iterations(result: Result | Path) -> list[dict[str, Any]]:
    """The last step's row of each iteration."""
    return [row for row in rows(result) if "iteration" in row]


def weights(result: Result) -> dict[str, torch.Tensor]:
    name = next(result.model.glob("*.safetensors"))
    return load_file(name)


def equal(one: Result, other: Result) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("ppo", {"adapter": "full"}),
        ("ppo", {"adapter": "lora", "critic": "separate", "critic_lr": 1e-2, "lr": 1e-2}),
        ("a2c", {"adapter": "full", "batch": 32}),
        ("grpo", {"adapter": "full", "kl_coef": 0.01}),
        ("rloo", {"adapter": "lora", "lr": 1e-2}),
        ("rloo", {"adapter": "full", "baseline": "batch", "loss_weights": "sequence"}),
    ],
)
def test_every_method_learns(method: str, settings: dict[str, Any], model: str) -> None:
    """The score at the end is far above that of the start; the KL began at exactly 0."""
    run = train(method, model, out="run", **{"iterations": 20, **settings})
    first, *_, last = iterations(run)
    assert first["objective/kl"] == 0
    assert last["objective/kl"] > 0.1
    assert last["score/mean"] > first["score/mean"] + 0.8
    assert rows(run)[0]["policy/ratio"] == pytest.approx(1, abs=1e-5)


def test_one_update_of_ppo_on_one_batch_is_a2c(model: str) -> None:
    """The same weights, up to rounding, after four iterations (Huang et al. 2022)."""
    settings = {"adapter": "full", "updates": 1, "batch": 32, "iterations": 4}
    ppo = weights(train("ppo", model, out="ppo", **settings))
    a2c = weights(train("a2c", model, out="a2c", **settings))
    start = load_file(Path(model) / "model.safetensors")
    for name in ppo:
        torch.testing.assert_close(ppo[name], a2c[name], rtol=1e-4, atol=1e-6)
    assert any(not torch.equal(ppo[name], start[name]) for name in ppo)


def test_more_updates_are_not_a2c(model: str) -> None:
    settings = {"adapter": "full", "updates": 4, "batch": 32, "iterations": 4}
    ppo = train("ppo", model, out="ppo", **settings)
    assert not equal(ppo, train("a2c", model, out="a2c", **{**settings, "updates": 1}))


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_the_fast_engine_gives_the_plain_samplers_run(adapter: str, model: str) -> None:
    """The same answers, scores and weights; its copy of the weights follows the training."""
    settings = {"adapter": adapter, "iterations": 3}
    plain = train("ppo", model, out="plain", engine="plain", **settings)
    fast = train("ppo", model, out="fast", engine="fast", **settings)
    scores = [[row["score/mean"] for row in iterations(run)] for run in (plain, fast)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    for one, other in zip(iterations(plain), iterations(fast), strict=True):
        assert one["sampler/difference"] == pytest.approx(other["sampler/difference"], abs=1e-5)


@pytest.mark.parametrize(("stop_at", "engine"), [(5, "auto"), (8, "auto"), (5, "fast")])
def test_a_stopped_run_goes_on_bit_for_bit(
    stop_at: int, engine: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an iteration, and at its end: weights, figures and traces of a whole run."""
    settings = {
        "adapter": "full", "iterations": 5, "updates": 2, "save_every": 1, "kl_target": 2.0,
        "score_scaling": "normalize", "kl_coef": 0.1, "kl_horizon": 200, "trace_every": 2,
        "engine": engine,
    }  # fmt: skip
    whole = train("ppo", model, out="whole", **settings)
    save = Loop._save_if_due

    def interrupted(self: Any) -> None:
        save(self)
        if self.counters.step == stop_at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_save_if_due", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("ppo", model, out="parts", **settings)
    parts = train("ppo", model, out="parts", **settings)
    assert equal(whole, parts)
    assert [_timeless(row) for row in rows(whole)] == [_timeless(row) for row in rows(parts)]
    traces = [(run.folder / "trace.jsonl").read_text() for run in (whole, parts)]
    assert traces[0] == traces[1]
    assert iterations(whole)[-1]["objective/kl_coef"] != 0.1, "the controller has moved"


def test_a_killed_run_goes_on_bit_for_bit(model: str) -> None:
    """kill -9 while it learns, the same command again: the weights of a run left alone."""
    Path("rewards.py").write_text(REWARD)
    Path("prompts.txt").write_text("\n".join(PROMPTS))
    given = {"model": model, "prompts": "prompts.txt", "reward": "rewards.py:count_e"}
    settings = {**FAST, **given, "adapter": "full", "iterations": 40, "save_every": 3}
    whole = luciola.ppo(**settings, out="whole")
    words = [f"{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "luciola", "train", "ppo", *words, "out=parts"]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(command, env={**os.environ, **threads}, stderr=subprocess.DEVNULL) as run:
        log, end = Path("parts/metrics.jsonl"), time.monotonic() + 300
        while time.monotonic() < end and (not log.exists() or log.read_text().count("\n") < 40):
            time.sleep(0.02)
        run.kill()
    assert not Path("parts/model").exists()
    parts = luciola.ppo(**settings, out="parts")
    assert equal(whole, parts)
    assert [_timeless(row) for row in rows(whole)] == [_timeless(row) for row in rows(parts)]


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if not k.startswith("time/") and k != "tokens_per_s"}


METHODS = ("ppo", "a2c", "grpo", "rloo")
EACH = """import json, sys, luciola
for method in METHODS:
    getattr(luciola, method)(**json.loads(sys.argv[1]), out=f"{method}-two")
""".replace("METHODS", repr(METHODS))


def test_two_processes_train_as_one(model: str) -> None:
    """torchrun with two CPU processes: answers, scores and losses of every method are those of
    one.
    """
    Path("rewards.py").write_text(REWARD)
    Path("prompts.txt").write_text("\n".join(PROMPTS))
    Path("each.py").write_text(EACH)
    settings = {**FAST, "adapter": "full", "iterations": 3, "micro_tokens": 64, "kl_coef": 0.1}
    settings |= {"model": model, "prompts": "prompts.txt", "reward": "rewards.py:count_e"}
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29731"]
    done = subprocess.run(
        [sys.executable, *launcher, "each.py", json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=220,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for method in METHODS:
        getattr(luciola, method)(**settings, out=f"{method}-one")
        one, two = rows(Path(f"{method}-one")), rows(Path(f"{method}-two"))
        assert json.loads(Path(f"{method}-two/report.json").read_text())["processes"] == 2
        assert len(one) == len(two)
        for name in ("loss", "loss/policy", "score/mean", "objective/kl", "policy/ratio"):
            ours, theirs = ([row[name] for row in run if name in row] for run in (one, two))
            assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5), (method, name)


@pytest.mark.parametrize(("estimator", "passes"), [("k3", 0), ("full", 4)])
def test_grpo_asks_the_reference_again_only_for_the_whole_kl(
    estimator: str, passes: int, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at the temperature of sampling: the first step's KL is 0."""
    from luciola.models.actor_critic import ActorCritic

    right, asked = ActorCritic._read_reference, []

    def counted(self: ActorCritic, batch: Any) -> Any:
        asked.append(batch)
        return right(self, batch)

    monkeypatch.setattr(ActorCritic, "_read_reference", counted)
    run = train(
        "grpo", model, out="run", adapter="full", iterations=1, updates=2, kl_estimator=estimator,
        kl_coef=0.1, temperature=0.7, packing="padded", micro_tokens=10_000,
    )  # fmt: skip
    assert len(asked) == 1 + passes, "once for the feedback, then once a step"
    first, *_, last = rows(run)
    assert first["loss/kl"] == pytest.approx(0, abs=1e-6)
    assert last["loss/kl"] > 1e-4


def test_layouts_of_answers_change_nothing(model: str) -> None:
    """Padded, packed, and as branches of their prompts: the same losses."""
    runs = [
        train("grpo", model, out=kind, adapter="full", iterations=3, packing=kind, micro_tokens=100)
        for kind in ("padded", "packed", "tree")
    ]
    losses = [[row["loss"] for row in rows(run)] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3, abs=1e-5)
    assert losses[0] == pytest.approx(losses[2], rel=1e-3, abs=1e-5)


def test_the_trace_holds_each_figure_of_a_token_as_it_was_made(model: str) -> None:
    """Rewards from KL and score, deltas from values, ratios from log-probabilities."""
    run = train(
        "ppo", model, out="run", adapter="full", iterations=2, trace_every=1, kl_coef=0.3,
        missing_end_penalty=1.0, temperature=0.9,
    )  # fmt: skip
    answers = [json.loads(line) for line in (run.folder / "trace.jsonl").read_text().splitlines()]
    assert [(one["iteration"], one["prompt_index"]) for one in answers] == [
        (0, 0), (0, 1), (1, 0), (1, 1),
    ]  # fmt: skip
    for one in answers:
        value = {name: torch.tensor(one[name]) for name in one if name not in NO_COLUMN}
        penalty = 1.0 if one["finish"] == "length" else 0.0
        assert value["scores"][-1] == pytest.approx(one["score"] - penalty)
        assert not value["scores"][:-1].any()
        near = {"rtol": 1e-4, "atol": 1e-5}
        kls = value["logprobs"] - value["ref_logprobs"]
        torch.testing.assert_close(value["kls"], kls, **near)
        rewards = -0.3 * value["kls"] + value["scores"]
        torch.testing.assert_close(value["rewards"], rewards, **near)
        following = torch.cat([value["values"][1:], torch.zeros(1)])
        torch.testing.assert_close(value["deltas"], rewards + following - value["values"], **near)
        returns = value["raw_advantages"] + value["values"]
        torch.testing.assert_close(value["returns"], returns, **near)
        ratios = (value["new_logprobs"] - value["logprobs"]).exp()
        torch.testing.assert_close(value["ratios"], ratios, **near)
        made = one["settings"]
        whitened = (value["raw_advantages"] - made["advantage_mean"]) / made["advantage_std"]
        torch.testing.assert_close(value["advantages"], whitened, rtol=1e-3, atol=1e-4)


NO_COLUMN = {
    "iteration", "step", "prompt_index", "method", "prompt", "finish", "settings", "score", "parts",
    "tokens", "clipped",
}  # fmt: skip


def test_a_missing_end_and_a_clip_shape_the_scores(model: str) -> None:
    run = train(
        "ppo", model, out="run", iterations=1, missing_end_penalty=2.0, score_clip=0.5, kl_coef=0
    )
    (row,) = iterations(run)
    trace = [json.loads(line) for line in (run.folder / "trace.jsonl").read_text().splitlines()]
    for one in trace:
        clipped = min(one["score"], 0.5)
        assert one["scores"][-1] == clipped - 2.0 * (one["finish"] == "length")
    assert row["score/shaped"] < row["score/mean"]


def test_a_reference_that_is_another_model_is_measured_from_the_start(
    model: str, tmp_path: Path
) -> None:
    moved = train("a2c", model, out="moved", adapter="full", iterations=3, lr=2e-2)
    run = train("ppo", model, out="run", adapter="full", iterations=1, reference=str(moved.model))
    assert iterations(run)[0]["objective/kl"] != 0


def test_policy_and_reference_that_differ_at_the_start_stop_the_run(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luciola.models.actor_critic import ActorCritic

    right = ActorCritic._reference_logprobs
    monkeypatch.setattr(
        ActorCritic, "_reference_logprobs", lambda self, *given: right(self, *given) * 1.1
    )
    with pytest.raises(TrainingError, match=r"policy and reference differ by .* nats a token"):
        train("ppo", model, out="run")


def test_a_first_ratio_that_is_not_1_stops_the_run(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "EXACT", -1.0)  # nothing is exact enough
    monkeypatch.setattr("luciola.methods.online.collecting.check_start", lambda *_, **__: None)
    with pytest.raises(TrainingError, match="mean probability ratio of 1 instead of 1"):
        train("ppo", model, out="run")


def test_a_policy_that_moves_too_far_ends_the_iteration(model: str) -> None:
    """target_kl skips the rest of an iteration's updates, and the schedule goes on."""
    run = train("ppo", model, out="run", adapter="full", lr=2e-2, target_kl=1e-4, iterations=4)
    found = iterations(run)
    assert len(found) == 4
    assert all(row["updates/skipped"] > 0 for row in found[1:])
    assert rows(run)[-1]["step"] < 4 * 8


def test_a_run_that_ends_early_is_evaluated_at_its_end(model: str) -> None:
    run = train(
        "ppo", model, out="run", adapter="full", lr=2e-2, target_kl=1e-4, iterations=3,
        eval_prompts=["hi"], eval_every=1000,
    )  # fmt: skip
    found = json.loads((run.folder / "report.json").read_text())
    assert [one["step"] for one in found["evaluations"]] == [0, found["steps"]]


def test_a_ratio_that_runs_away_takes_no_step(model: str) -> None:
    """With a threshold below 1 no step is accepted, and the weights stay as they were."""
    run = train("ppo", model, out="run", adapter="full", ratio_threshold=0.5, iterations=2)
    start = load_file(Path(model) / "model.safetensors")
    assert all(torch.equal(value, start[name]) for name, value in weights(run).items())


def test_evaluations_stand_in_the_report(model: str) -> None:
    """From before the first step to the last, with the metric's own figures."""

    def vowels(outputs: Sequence[str]) -> dict[str, list[float]]:
        return {"vowels": [float(sum(o.count(v) for v in "aeiou")) for o in outputs]}

    run = train(
        "ppo", model, out="run", adapter="full", eval_prompts=["hi", "who"], metric=vowels,
        iterations=4, eval_every=8, reward=[count_e, "length:1-2 tokens"],
    )  # fmt: skip
    report = json.loads((run.folder / "report.json").read_text())
    assert [one["step"] for one in report["evaluations"]] == [0, 8, 16, 24, 32]
    first = report["evaluations"][0]
    assert {"score", "vowels", "component/count_e", "component/length"} <= set(first)
    parts = first["component/count_e"] + first["component/length"]
    assert first["score"] == pytest.approx(parts)
    assert first["length"] > 2, "of the answer in tokens, and not the reward of that name"
    text = (run.folder / "report.md").read_text()
    assert "## Where the time went" in text
    assert "## Iterations\n\n| iteration | score |" in text and "values explain" in text
    found = iterations(run)
    assert report["score"]["start"] == found[0]["score/mean"]
    assert report["score"]["best"] == max(row["score/mean"] for row in found)
    assert report["kl"]["last"] == found[-1]["objective/kl"]
    assert report["length"]["last"] == found[-1]["answers/length"]
    assert sum(found[0][f"finish/{reason}"] for reason in ("end", "stop", "length")) == 1


def test_a_run_leaves_a_model_that_transformers_loads(model: str) -> None:
    """Only the actor is saved, though a critic's and a reference's adapter were there."""
    from peft import AutoPeftModelForCausalLM

    first = train("ppo", model, out="first", adapter="lora", critic="separate", iterations=1)
    files = {path.name for path in first.model.iterdir()}
    assert "adapter_model.safetensors" in files
    assert not files & {"critic", "reference"}
    AutoPeftModelForCausalLM.from_pretrained(first.model)
    again = train("ppo", str(first.model), out="again", adapter="lora", iterations=1)
    assert iterations(again)[0]["objective/kl"] == 0, "the reference is the adapter it began with"


def test_the_best_evaluation_is_told_as_a_score(model: str) -> None:
    """With patience the weights of the highest score are kept, and the report says which it was."""
    result = train(
        "rloo", model, out="best", adapter="full", eval_prompts=["hi", "who"], eval_every=2,
        patience=9, iterations=2,
    )  # fmt: skip
    scores = {row["step"]: row["eval/score"] for row in rows(result) if "eval/score" in row}
    assert result.figures["eval_score"] == max(scores.values()) > 0
    assert scores[int(result.figures["best_step"])] == max(scores.values())
    assert "eval_loss" not in result.figures
