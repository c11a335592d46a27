"""Rewards, advantages and losses as the original program recorded them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from luciola.compat.trl import PPOConfig
from luciola.compat.trl import experience as experiences
from luciola.compat.trl.experience import Experience, Feedback, experience
from luciola.compat.trl.sequences import Sequences
from luciola.compat.trl.update import Update
from reference_values import cases


def near(found: Tensor | float, wanted: Any) -> None:
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=torch.float32), torch.tensor(wanted), rtol=1e-4, atol=1e-5
    )


def sequences(mask: Any) -> Sequences:
    """Only the mask counts here."""
    counts = torch.tensor(mask).bool()
    blank = torch.zeros(counts.shape[0], counts.shape[1] + 1, dtype=torch.long)
    return Sequences(blank, blank, counts)


@pytest.mark.parametrize("case", cases("rl/gae_trl_classic"))
def test_advantages_and_returns_equal_the_recorded_ones(case: Any) -> None:
    """In the cells outside the mask too."""
    values, rewards = torch.tensor(case["values"]), torch.tensor(case["rewards"])
    config = PPOConfig(gamma=case["gamma"], lam=case["lam"], whiten_rewards=case["whiten_rewards"])
    made = experience(
        sequences(case["mask"]), Feedback(values, values, values, values), rewards, config
    )
    near(made.values, case["out_values"])
    near(made.advantages, case["advantages"])
    near(made.returns, case["returns"])


@pytest.mark.parametrize("case", cases("rl/ppo_loss_trl_classic"))
def test_losses_statistics_and_gradients_equal_the_recorded_ones(
    case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = {
        name: torch.tensor(case[name], requires_grad=name in ("logprobs", "vpreds"))
        for name in ("old_logprobs", "logprobs", "values", "vpreds", "advantages", "returns")
    }
    now = SimpleNamespace(
        logits=torch.tensor(case["logits"]),
        logprobs=tensors["logprobs"],
        values=tensors["vpreds"],
    )
    monkeypatch.setattr("luciola.compat.trl.update.outputs", lambda roles, given: now)
    config = PPOConfig(
        cliprange=case["cliprange"],
        cliprange_value=case["cliprange_value"],
        vf_coef=case["vf_coef"],
        ratio_threshold=case["ratio_threshold"],
    )
    batch = Experience(
        sequences=sequences(case["mask"]),
        logprobs=tensors["old_logprobs"],
        values=tensors["values"],
        advantages=tensors["advantages"],
        returns=tensors["returns"],
    )
    update = Update(nn.Identity(), config)
    terms = update.loss(batch)
    near(terms["policy"].sum, case["loss_policy"])
    near(terms["value"].sum * terms["value"].scale, case["loss_value_scaled"])
    (terms["policy"].sum + terms["value"].scale * terms["value"].sum).backward()
    near(tensors["logprobs"].grad, case["grad_logprobs"])
    near(tensors["vpreds"].grad, case["grad_vpreds"])
    assert set(case["stats"]) == set(update.statistics[0])
    for name, wanted in case["stats"].items():
        near(update.statistics[0][name], wanted)


def test_each_penalty_has_the_estimate_of_its_name() -> None:
    assert experiences.KINDS == {"kl": "k1", "abs": "abs", "mse": "k2"}
