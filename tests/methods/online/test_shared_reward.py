"""A reward model on the policy's own base scores as by itself, and is neither trained nor saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.config.training import LoraConfig
from luciola.models.adapters import attach_lora
from luciola.models.load import load_model
from luciola.models.scorer import Scorer
from luciola.models.shared_scorer import shared_scorer
from support import write_model

SMALL: dict[str, Any] = {"device": "cpu", "precision": "fp32"}
PROMPTS, ANSWERS = ["hello", "what is this", "hi"], ["tea", "a cup of tea", "no"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A base model, and a reward model that is an adapter on it."""
    folder = tmp_path_factory.mktemp("shared")
    base = str(write_model(folder / "base"))
    rows = [{"prompt": f"say {i}", "chosen": "yes yes", "rejected": "no"} for i in range(12)]
    data = folder / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = luciola.reward_model(
        model=base, data=str(data), out=str(folder / "reward"), lr=1e-2, epochs=4, **SMALL
    )
    return base, str(run.model)


def policy(base: str) -> Any:
    return attach_lora(load_model(base), LoraConfig(r=4), run_seed=3)


def test_scores_are_those_of_the_model_by_itself(trained: tuple[str, str]) -> None:
    base, reward = trained
    model = policy(base)
    before = {name for name, p in model.named_parameters() if p.requires_grad}
    ids = torch.tensor([[5, 6, 7]])
    logits = model(input_ids=ids).logits
    shared = shared_scorer(model, base, reward)
    assert shared is not None
    alone = Scorer.load(reward, "cpu").score(PROMPTS, ANSWERS)
    assert shared.score(PROMPTS, ANSWERS) == pytest.approx(alone, rel=1e-4, abs=1e-5)
    assert len(set(alone)) > 1
    assert torch.equal(model(input_ids=ids).logits, logits), "the policy is as it was"
    assert {name for name, p in model.named_parameters() if p.requires_grad} == before


def test_the_scores_stay_while_the_policy_learns(trained: tuple[str, str]) -> None:
    base, reward = trained
    model = policy(base)
    shared = shared_scorer(model, base, reward)
    assert shared is not None
    before = shared.score(PROMPTS, ANSWERS)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))
    assert shared.score(PROMPTS, ANSWERS) == before


def test_other_bases_and_bare_policies_share_nothing(
    trained: tuple[str, str], tmp_path: Path
) -> None:
    base, reward = trained
    other = str(write_model(tmp_path / "other"))
    assert shared_scorer(policy(other), other, reward) is None
    assert shared_scorer(load_model(base), base, reward) is None
    assert shared_scorer(policy(base), base, base) is None


def test_a_base_is_shared_however_its_path_is_written(
    trained: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, reward = trained
    monkeypatch.chdir(Path(base).parent)
    assert shared_scorer(policy(base), Path(base).name, reward) is not None


def test_a_run_with_a_shared_reward_model_equals_one_with_its_own(
    trained: tuple[str, str],
) -> None:
    base, reward = trained
    runs = [
        luciola.ppo(
            model=base, prompts=PROMPTS, reward=f"model:{reward}", out=f"run-{shared}",
            iterations=3, rollouts=16, batch=8, max_new_tokens=6, lr=1e-2, updates=1,
            share_reward_base=shared, **SMALL,
        )
        for shared in (True, False)
    ]  # fmt: skip
    scores = [list(means(run.folder)) for run in runs]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4, abs=1e-4)
    assert not (runs[0].model / "reward").exists()
    assert runs[0].figures["trained_parameters"] == runs[1].figures["trained_parameters"]


def means(run: Path) -> Iterator[float]:
    """The mean score of each iteration."""
    for line in (run / "metrics.jsonl").read_text().splitlines():
        if "score/mean" in (row := json.loads(line)):
            yield row["score/mean"]
