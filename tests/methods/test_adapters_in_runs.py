"""Kinds of adapters in whole runs of every method, or a clear error before one begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.errors import ConfigError, LuciolaError
from luciola.methods.running import Result
from luciola.models.load import load_model, load_tokenizer
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sampling
from support import write_chats, write_model

KINDS = ["dora", "pissa", "ia3", "prefix", "prompt", "ptuning", "houlsby", "pfeiffer", "freeze"]
IN_LAYERS = ["dora", "pissa", "ia3", "houlsby", "freeze"]
SMALL: dict[str, Any] = {
    "lora": {"r": 4},
    "bottleneck": {"reduction": 4},
    "virtual": {"count": 4, "hidden": 16},
    "freeze_layers": 1,
    "precision": "fp32",
    "device": "cpu",
    "lr": 2e-2,
}
PAIRS = [
    {"prompt": f"what is {n}?", "chosen": f"it is {n}", "rejected": "no idea"} for n in range(8)
]
LOGGED = [{"prompt": f"ask {n}", "output": "yes", "reward": float(n % 3)} for n in range(8)]


def count_e(answers: Sequence[str]) -> list[float]:
    """A reward that needs no model."""
    return [float(answer.count("e")) for answer in answers]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_model(tmp_path_factory.mktemp("adapters") / "model"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_chats(folder / "chats.jsonl", rows=8)
    lines = "\n".join(json.dumps(pair) for pair in PAIRS)
    (folder / "pairs.jsonl").write_text(lines + "\n")
    return folder


def train(method: str, kind: str, model: str, files: Path, **settings: Any) -> Result:
    """A short run."""
    given: dict[str, Any] = {"model": model, "adapter": kind, **SMALL}
    if method == "sft":
        given |= {"data": str(files / "chats.jsonl"), "epochs": 8, "batch": 4}
    elif method in ("dpo", "reward_model"):
        given |= {"data": str(files / "pairs.jsonl"), "epochs": 3, "batch": 4}
    elif method == "ilql":
        given |= {"data": LOGGED, "epochs": 1, "batch": 4}
    else:
        given |= {"prompts": ["hello", "tell me"], "reward": count_e, "iterations": 2}
        given |= {"rollouts": 8, "batch": 8, "max_new_tokens": 4, "trace_prompts": 0}
    return getattr(luciola, method)(**{**given, **settings})


def losses(result: Result) -> list[float]:
    rows = (result.folder / "metrics.jsonl").read_text().splitlines()
    return [row["loss"] for row in map(json.loads, rows) if "loss" in row]


@pytest.mark.parametrize("kind", KINDS)
def test_fine_tuning_learns_with_every_kind_and_its_folder_answers(
    kind: str, model: str, files: Path
) -> None:
    result = train("sft", kind, model, files)
    seen = losses(result)
    assert sum(seen[-2:]) < sum(seen[:2])
    loaded = load_model(result.model)
    tokenizer = load_tokenizer(result.model)
    sampler = NaiveSampler(loaded, end_ids=(96,), tokenizer=tokenizer)
    prompt = tuple(tokenizer("what is 1+1?").input_ids)
    longer = (*prompt, *prompt)
    sampling = Sampling(max_new_tokens=6, temperature=0.0)
    samples = sampler.sample(
        [Request(prompt, sampling=sampling), Request(longer, sampling=sampling)]
    )
    for asked, sample in zip((prompt, longer), samples, strict=True):
        whole = torch.tensor([[*asked, *sample.ids]])
        with torch.no_grad():
            best = loaded(input_ids=whole, use_cache=False).logits[0].argmax(-1)
        expected = best[len(asked) - 1 : len(asked) - 1 + len(sample.ids)].tolist()
        assert list(sample.ids) == expected


@pytest.mark.parametrize("kind", ["prefix", "prompt", "houlsby", "freeze"])
def test_preferences_begin_at_the_log_of_two_and_are_learned(
    kind: str, model: str, files: Path
) -> None:
    seen = losses(train("dpo", kind, model, files, lr=1e-2))
    assert seen[0] == pytest.approx(0.6931, abs=1e-4)
    assert seen[-1] < seen[0] - 0.02


@pytest.mark.parametrize("kind", IN_LAYERS)
def test_reward_models_learn_with_what_stands_in_the_layers(
    kind: str, model: str, files: Path
) -> None:
    seen = losses(train("reward_model", kind, model, files))
    assert seen[-1] < seen[0]


def test_a_reward_model_behind_virtual_tokens_is_an_error(model: str, files: Path) -> None:
    with pytest.raises(ConfigError, match="reward model cannot be trained with adapter=prompt"):
        train("reward_model", "prompt", model, files)


@pytest.mark.parametrize("kind", ["dora", "ia3", "prefix", "prompt", "houlsby", "freeze"])
def test_ppo_begins_at_its_reference_and_samples_from_what_it_trains(
    kind: str, model: str, files: Path
) -> None:
    """The run itself refuses to go on where the first ratio is not 1, or where what begins as the
    base is not its reference; virtual tokens begin elsewhere, so their first KL is not 0.
    """
    result = train("ppo", kind, model, files)
    text = (result.folder / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    kl = next(row["objective/kl"] for row in rows if "objective/kl" in row)
    assert (abs(kl) < 1e-3) == (kind not in ("prefix", "prompt", "ptuning"))


@pytest.mark.parametrize("kind", ["ia3", "houlsby"])
def test_a_critic_of_its_own_is_an_adapter_of_the_same_kind(
    kind: str, model: str, files: Path
) -> None:
    result = train("ppo", kind, model, files, critic="separate")
    assert hasattr(load_model(result.model), "peft_config")


def test_a_critic_of_its_own_behind_virtual_tokens_is_an_error(model: str, files: Path) -> None:
    with pytest.raises(ConfigError, match="cannot stand twice on one base"):
        train("ppo", "prompt", model, files, critic="separate")


@pytest.mark.parametrize("kind", ["ia3", "houlsby", "freeze", "prompt"])
def test_offline_learning_works_with_kinds_in_the_layers(
    kind: str, model: str, files: Path
) -> None:
    assert losses(train("ilql", kind, model, files))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_quantised_training_without_a_gpu_is_an_error(model: str, files: Path) -> None:
    with pytest.raises(LuciolaError, match="adapter=qlora needs a CUDA GPU"):
        train("sft", "qlora", model, files)
