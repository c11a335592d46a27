"""What each algorithm minimises over a handful of tokens, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from luciola.config.online import GrpoConfig, PpoConfig, RlooConfig
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.experience import Experience, Rollout
from luciola.methods.online.now import ANSWERS, TOKENS, Now
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.kl import full_kl

LENGTHS = (3, 1, 2, 2)
GROUPS = (0, 0, 1, 1)
SCORES = torch.tensor([1.0, 0.0, 0.5, 2.5])


def experience() -> Experience:
    """Four answers to two prompts, with drawn figures."""
    draw = torch.Generator().manual_seed(0)

    def figures(length: int) -> tuple[float, ...]:
        return tuple((-torch.rand(length, generator=draw)).tolist())

    made = []
    for index, (length, group) in enumerate(zip(LENGTHS, GROUPS, strict=True)):
        logprobs, reference = figures(length), figures(length)
        made.append(
            Rollout(
                index=index,
                group=group,
                prompt=group,
                prompt_ids=(5, 6),
                ids=(7,) * length,
                finish="end",
                sampled=logprobs,
                score=float(SCORES[index]),
                parts={},
                logprobs=logprobs,
                reference=reference,
                kls=tuple(a - b for a, b in zip(logprobs, reference, strict=True)),
                values=figures(length),
                entropies=figures(length),
            )
        )
    return Experience.of(made)


def settings(**given: Any) -> dict[str, Any]:
    return {"model": "m", "prompts": "p", "reward": ("r.py:f",), "max_new_tokens": 4, **given}


def now_of(columns: dict[str, torch.Tensor]) -> Now:
    """A policy that has moved a little, over all tokens."""
    torch.manual_seed(1)
    count = len(columns["logprobs"])
    logits, values = torch.randn(count, 11), torch.randn(count)
    labels = torch.arange(count) % 11
    kls = full_kl(logits, torch.randn(count, 11))
    return Now(token_logprobs(logits, labels), entropy(logits), values, kls)


def test_ppos_advantages_come_from_rewards_and_values() -> None:
    made = experience()
    config = PpoConfig(**settings(gamma=0.9, lam=0.8, whiten_advantages=False))
    algorithm_for(config).prepare(made, SCORES, 0.3)
    for row, length in enumerate(LENGTHS):
        values, kls = made.columns["values"][row], made.columns["kls"][row]
        following, expected = 0.0, [0.0] * length
        for t in reversed(range(length)):
            reward = -0.3 * float(kls[t]) + (float(SCORES[row]) if t == length - 1 else 0.0)
            after = float(values[t + 1]) if t + 1 < length else 0.0
            following = reward + 0.9 * after - float(values[t]) + 0.9 * 0.8 * following
            expected[t] = following
        found = made.columns["advantages"][row, :length]
        torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_whitened_rewards_keep_their_mean_and_make_the_advantages() -> None:
    """Over all tokens of the iteration, and not answer by answer."""
    made = experience()
    config = PpoConfig(**settings(whiten_rewards=True, whiten_advantages=False))
    algorithm_for(config).prepare(made, SCORES, 0.3)
    plain, used = (made.columns[n][made.mask] for n in ("rewards", "whitened_rewards"))
    expected = (plain - plain.mean()) / (plain.var() + 1e-8).sqrt() + plain.mean()
    torch.testing.assert_close(used, expected)
    last = made.columns["whitened_rewards"][1, 0] - made.columns["values"][1, 0]
    torch.testing.assert_close(made.columns["advantages"][1, 0], last)


def test_whitened_advantages_are_so_over_all_tokens() -> None:
    made = experience()
    algorithm_for(PpoConfig(**settings())).prepare(made, SCORES, 0.3)
    raw, white = (made.columns[n][made.mask] for n in ("raw_advantages", "advantages"))
    torch.testing.assert_close(white, (raw - raw.mean()) / (raw.var() + 1e-8).sqrt())


def test_ppos_objective_is_policy_plus_value_minus_entropy() -> None:
    made = experience()
    config = PpoConfig(**settings(vf_coef=0.3, entropy_coef=0.02))
    algorithm = algorithm_for(config)
    algorithm.prepare(made, SCORES, 0.1)
    columns = made.flat(range(4))
    now = now_of(columns)
    terms = algorithm.terms(now, columns)
    ratio = (now.logprobs - columns["logprobs"]).exp()
    plain, clipped = (r * columns["advantages"] for r in (ratio, ratio.clamp(0.8, 1.2)))
    assert now.values is not None
    near = columns["values"] + (now.values - columns["values"]).clamp(-0.2, 0.2)
    errors = [(v - columns["returns"]).square() for v in (now.values, near)]
    expected = {
        "loss/policy": (-torch.minimum(plain, clipped).sum(), 1.0),
        "loss/value": (torch.maximum(*errors).sum() / 2, 0.3),
        "loss/entropy": (-now.entropies.sum(), 0.02),
    }
    for name, (total, scale) in expected.items():
        torch.testing.assert_close(terms[name].sum, total, rtol=1e-4, atol=1e-5)
        assert terms[name].scale == scale
        assert terms[name].per == TOKENS
    assert not any(t.scale for name, t in terms.items() if name not in expected)


def test_grpo_compares_within_a_group_and_pays_for_the_kl() -> None:
    made = experience()
    config = GrpoConfig(**settings(kl_coef=0.04, loss_weights="sequence", answers=2))
    algorithm = algorithm_for(config)
    algorithm.prepare(made, SCORES, 0.04)
    spread = 0.5**0.5  # of 1 and 0
    first = 0.5 / (spread + 1e-4)
    assert made.columns["advantages"][0, :3].tolist() == pytest.approx([first] * 3, rel=1e-4)
    assert float(made.columns["advantages"][1, 0]) == pytest.approx(-first, rel=1e-4)
    columns = made.flat(range(4))
    now = now_of(columns)
    terms = algorithm.terms(now, columns)
    difference = now.logprobs - columns["reference"]
    k3 = (-difference).exp() - 1 + difference
    weights = torch.tensor([1 / length for length in LENGTHS for _ in range(length)])
    torch.testing.assert_close(terms["loss/kl"].sum, (k3 * weights).sum(), rtol=1e-4, atol=1e-5)
    assert terms["loss/kl"].scale == 0.04
    assert terms["loss/kl"].per == terms["loss/policy"].per == ANSWERS
    without = algorithm_for(replace(config, kl_coef=0.0))
    assert "loss/kl" not in without.terms(now, columns)


def test_rloo_leaves_the_answer_itself_out_of_its_baseline() -> None:
    made = experience()
    config = RlooConfig(**settings(answers=2))
    algorithm_for(config).prepare(made, SCORES, 0.1)
    whole = SCORES - 0.1 * made.columns["kls"].sum(1)
    expected = [whole[0] - whole[1], whole[1] - whole[0], whole[2] - whole[3], whole[3] - whole[2]]
    found = made.columns["advantages"][:, 0]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_groups_without_spread_are_counted() -> None:
    made = experience()
    config = GrpoConfig(**settings(answers=2))
    figures = algorithm_for(config).prepare(made, torch.tensor([1.0, 1.0, 0.5, 2.5]), 0.0)
    assert figures["groups/without_spread"] == 0.5
    assert not made.columns["advantages"][:2].any()


@pytest.mark.parametrize("recipe", [
    PpoConfig(**settings(whiten_rewards=True)), RlooConfig(**settings(baseline="batch")),
])  # fmt: skip
def test_an_iteration_of_a_single_token_is_no_error(recipe: Any) -> None:
    """It has no spread: what would be whitened stays as it is. Score 2, no KL, value 0: A = 2."""
    one = Rollout(
        0, 0, 0, (5,), (7,), "end", (-1.0,), 2.0, {},
        logprobs=(-1.0,), reference=(-1.0,), kls=(0.0,), values=(0.0,), entropies=(0.5,),
    )  # fmt: skip
    made = Experience.of([one])
    figures = algorithm_for(recipe).prepare(made, torch.tensor([2.0]), 0.1)
    assert made.columns["advantages"].tolist() == [[2.0]]
    assert figures["advantages/std"] == 0
