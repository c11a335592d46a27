"""Pictures of answers: what the page reckons from them is what the run did, for every method."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.config.online import A2cConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.experience import Experience, Rollout, by_token
from luciola.methods.online.prompts import Prompt
from luciola.methods.online.scores import shaped_scores
from luciola.methods.online.tracing import picture
from luciola.objectives.moments import RunningMoments
from luciola.runs.trace import AnswerTrace

SCORES = (1.0, 3.0, 2.0, 0.0)


def pictured(config: Any) -> AnswerTrace:
    """The first of four answers to one prompt, cut off after two tokens; their KLs are 0.5 and 0.1,
    its probabilities have risen by e^0.3 and fallen by e^0.4.
    """
    made = Experience.of(
        [
            Rollout(
                index, 0, 0, (5,), (7, 8), "length", (-1.0, -2.0), score, {},
                logprobs=(-1.0, -2.0), reference=(-1.5, -2.1), kls=(0.5, 0.1),
                values=(0.2, 0.4), entropies=(1.0, 1.0),
            )
            for index, score in enumerate(SCORES)
        ]
    )  # fmt: skip
    scores, _ = shaped_scores(made, config, RunningMoments())
    made.columns["scores"] = by_token(scores, made.mask)
    algorithm = algorithm_for(config)
    algorithm.prepare(made, scores, config.kl_coef)
    now = {"logprobs": torch.tensor([-0.7, -2.4])}
    if algorithm.has_critic:
        now["values"] = torch.tensor([0.3, 0.5])
    return picture(
        made, 0, now, config=config, method=algorithm.name, prompt=Prompt((5,), "p"),
        tokens=["a", "b"], iteration=0, step=1, kl_coef=config.kl_coef,
    )  # fmt: skip


def settings(**given: Any) -> dict[str, Any]:
    return {"model": "m", "prompts": "p", "reward": ("r.py:f",), **given}


def test_grpo_compares_the_score_as_it_was_shaped() -> None:
    """Each answer loses 0.5 for its missing end, so 1 is 0.5 against a mean of 1; the deviation of
    1, 3, 2, 0 is √(5/3).
    """
    one = pictured(GrpoConfig(**settings(missing_end_penalty=0.5)))
    own, mean, spread = (one.settings[n] for n in ("group_score", "group_mean", "group_std"))
    assert (own, mean) == (0.5, 1.0)
    assert spread == pytest.approx((5 / 3) ** 0.5 + 1e-4)
    assert one.advantages == pytest.approx([(own - mean) / spread] * 2)


def test_without_the_division_there_is_no_spread_to_divide_by() -> None:
    one = pictured(GrpoConfig(**settings(scale_by_std=False)))
    assert "group_std" not in one.settings
    assert one.advantages == pytest.approx([-0.5] * 2)


def test_rloo_compares_rewards_with_the_kl_in_them() -> None:
    """Its own reward is 1 - 0.3 · 0.6, the others' mean 5/3 - 0.3 · 0.6."""
    one = pictured(RlooConfig(**settings(kl_coef=0.3)))
    own, baseline = one.settings["group_score"], one.settings["baseline"]
    assert own == pytest.approx(0.82)
    assert own == pytest.approx(sum(one.rewards))
    assert one.advantages == pytest.approx([own - baseline] * 2)
    assert own - baseline == pytest.approx(1 - 5 / 3)


def test_a2c_has_no_clip_and_its_loss_is_that_of_the_log_probability() -> None:
    one = pictured(A2cConfig(**settings(whiten_advantages=False)))
    assert "clip" not in one.settings
    assert not one.clipped
    expected = [0.7 * one.advantages[0], 2.4 * one.advantages[1]]
    assert one.policy_losses == pytest.approx(expected)


def test_ppo_says_which_tokens_are_clipped() -> None:
    """e^0.3 is above 1.2 and e^-0.4 below 0.8: clipped where the advantage pushes that way."""
    one = pictured(PpoConfig(**settings(whiten_advantages=False)))
    held = [1.2, 0.8]
    for ratio, limit, advantage, clipped, loss in zip(
        one.ratios, held, one.advantages, one.clipped, one.policy_losses, strict=True
    ):
        assert clipped == (limit * advantage < ratio * advantage)
        assert loss == pytest.approx(-min(ratio * advantage, limit * advantage))
    assert one.clipped.count(True) == 1
