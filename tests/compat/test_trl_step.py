"""The classic `step`: its rules, its figures, and what it does to the weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from classic_step import by_loops, settings, trainer_of
from luciola.compat.trl import PPOTrainer, set_seed

NAMES = {
    *(f"objective/{n}" for n in ("kl", "kl_dist", "logprobs", "ref_logprobs", "kl_coef")),
    *("objective/entropy", "ppo/mean_non_score_reward", "ppo/mean_scores", "ppo/std_scores"),
    *("ppo/learning_rate", "ppo/loss/policy", "ppo/loss/value", "ppo/loss/total"),
    *(f"ppo/policy/{n}" for n in ("entropy", "approxkl", "policykl", "clipfrac", "advantages")),
    *("ppo/policy/advantages_mean", "ppo/policy/ratio", "ppo/returns/mean", "ppo/returns/var"),
    *(f"ppo/val/{n}" for n in ("vpred", "error", "clipfrac", "mean", "var", "var_explained")),
    *(f"tokens/queries_{n}" for n in ("len_mean", "len_std", "dist")),
    *(f"tokens/responses_{n}" for n in ("len_mean", "len_std", "dist")),
    *(f"time/ppo/{n}" for n in ("forward_pass", "compute_rewards", "compute_advantages")),
    *(f"time/ppo/{n}" for n in ("optimize_step", "calc_stats", "total")),
}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_step_equals_its_rules_written_out_by_loops(
    side: str, accumulation: int, build: Any, tokenizer: Any, batch: Any
) -> None:
    """Statistics and trained weights, whichever side is padded; the loops pad nothing."""
    tokenizer.padding_side = side
    changed = {"mini_batch_size": 4 // (2 * accumulation), "cliprange": 0.05}
    changed["gradient_accumulation_steps"] = accumulation
    trainer = trainer_of(build(), tokenizer, **changed)
    model, reference = copy.deepcopy(trainer.model), trainer.ref_model
    np.random.seed(5)
    stats = trainer.step(**batch)
    np.random.seed(5)
    wanted = by_loops(model.requires_grad_(True), reference, trainer.config, batch)
    assert {n: stats[n] for n in wanted} == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert wanted["ppo/policy/clipfrac"] > 0.05  # else clipping would not have been compared
    expected = dict(model.named_parameters())
    for name, trained in trainer.model.named_parameters():
        if "c_attn.bias" not in name:  # a key's bias has no gradient but rounding
            torch.testing.assert_close(trained, expected[name], rtol=1e-3, atol=1e-4)


def test_the_statistics_have_the_names_of_the_original(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    stats = trainer_of(build(), tokenizer).step(**batch)
    assert set(stats) == NAMES
    longest = max(len(q) + len(r) for q, r in zip(*list(batch.values())[:2], strict=True))
    assert stats["objective/logprobs"].shape == (4, longest - 1)
    assert stats["ppo/policy/ratio"].shape == (2 * 4 * (longest - 1),)
    assert stats["tokens/responses_dist"].tolist() == [4.0, 2.0, 5.0, 3.0]
    assert all(isinstance(v, float | np.ndarray) for v in stats.values())


def test_before_anything_is_learned_kl_is_zero_and_the_first_ratio_one(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = PPOTrainer(settings(ppo_epochs=1, mini_batch_size=4), build(), None, tokenizer)
    stats = trainer.step(**batch)
    assert stats["objective/kl"] == 0.0
    assert np.abs(stats["ppo/policy/ratio"] - 1).max() < 1e-6


def test_an_odd_padding_token_changes_nothing(build: Any, tokenizer: Any, batch: Any) -> None:
    stats = trainer_of(build(), tokenizer).step(**batch)
    tokenizer.pad_token_id = 7
    other = trainer_of(build(), tokenizer).step(**batch)
    for name in ("objective/kl", "ppo/loss/total", "ppo/policy/entropy", "ppo/val/error"):
        assert stats[name] == pytest.approx(other[name], rel=1e-5)


def test_dropout_never_acts(build: Any, tokenizer: Any, batch: Any) -> None:
    """Mini-batches in one order, but torch's random numbers and the model's mode differ."""
    first, second = (trainer_of(build(), tokenizer, mini_batch_size=4) for _ in range(2))
    second.model.train()
    torch.manual_seed(77)
    losses = [trainer.step(**batch)["ppo/loss/total"] for trainer in (first, second)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_training_leaves_the_random_numbers_for_sampling_alone(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = trainer_of(build(), tokenizer)
    set_seed(3)
    wanted = torch.rand(3)
    set_seed(3)
    trainer.step(**batch)
    assert torch.equal(torch.rand(3), wanted)


def test_a_step_ends_early_once_the_policy_has_moved(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    """2 mini-batches of 10 padded cells an epoch, one epoch of nine."""
    width = len(trainer_of(build(), tokenizer, ppo_epochs=1).step(**batch)["ppo/policy/ratio"])
    changed = {"ppo_epochs": 9, "early_stopping": True, "target_kl": -10.0}
    stopped = trainer_of(build(), tokenizer, **changed).step(**batch)
    assert len(stopped["ppo/policy/ratio"]) == width
    changed["target_kl"] = 10.0
    whole = trainer_of(build(), tokenizer, **changed).step(**batch)
    assert len(whole["ppo/policy/ratio"]) == 9 * width


def test_the_limit_of_an_early_end_is_one_and_a_half_times_the_target(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    """The first epoch ends 1.25 targets away: no end; and 1.75 targets away: the end."""
    probe = trainer_of(build(), tokenizer, ppo_epochs=1, mini_batch_size=4)
    probe.step(**batch)
    again = trainer_of(build(), tokenizer, ppo_epochs=2, mini_batch_size=4)
    moved = 2 * again.step(**batch)["ppo/policy/policykl"]  # of the second epoch; the first has 0
    width = len(probe.step(**batch)["ppo/policy/ratio"])
    for factor, epochs in ((1.25, 3), (1.75, 2)):
        changed = {"ppo_epochs": 3, "early_stopping": True, "target_kl": moved / factor}
        trainer = trainer_of(build(), tokenizer, mini_batch_size=4, **changed)
        assert len(trainer.step(**batch)["ppo/policy/ratio"]) == epochs * width


def test_a_mini_batch_whose_ratio_has_run_away_trains_nothing(
    build: Any, tokenizer: Any, batch: Any, caplog: Any
) -> None:
    trainer = trainer_of(build(), tokenizer, ratio_threshold=0.5)
    before = copy.deepcopy(trainer.model)
    stats = trainer.step(**batch)
    assert "skipped" in caplog.text and stats["ppo/loss/total"] == 0.0
    for now, then in zip(trainer.model.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then)


def test_the_gradient_is_clipped_where_asked(build: Any, tokenizer: Any, batch: Any) -> None:
    """Under plain gradient descent of rate 1 a step is as long as the gradient."""
    lengths = []
    for limit in (None, 0.01):
        model = build()
        before = [p.detach().clone() for p in model.parameters()]
        descent = torch.optim.SGD(model.parameters(), lr=1.0)
        given = settings(mini_batch_size=4, ppo_epochs=1, max_grad_norm=limit)
        PPOTrainer(given, model, None, tokenizer, optimizer=descent).step(**batch)
        steps = [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]
        lengths.append(float(torch.cat([step.flatten() for step in steps]).norm()))
    assert lengths[0] > 0.05 and lengths[1] == pytest.approx(0.01, rel=1e-3)


def test_a_scheduler_moves_once_a_step(build: Any, tokenizer: Any, batch: Any) -> None:
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    trainer = PPOTrainer(
        settings(), model, None, tokenizer, optimizer=optimizer, lr_scheduler=schedule
    )
    rates = [trainer.step(**batch)["ppo/learning_rate"] for _ in range(2)]
    assert rates == [1e-3, 5e-4]
