"""Settings: the original's defaults, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from luciola.compat.trl import ClassicError, PPOConfig

DEFAULTS = {
    "seed": 0,
    "steps": 20000,
    "learning_rate": 1.41e-5,
    "adap_kl_ctrl": True,
    "gamma": 1,
    "init_kl_coef": 0.2,
    "kl_penalty": "kl",
    "target": 6,
    "horizon": 10000,
    "lam": 0.95,
    "cliprange": 0.2,
    "cliprange_value": 0.2,
    "vf_coef": 0.1,
    "batch_size": 128,
    "mini_batch_size": 128,
    "gradient_accumulation_steps": 1,
    "ppo_epochs": 4,
    "max_grad_norm": None,
    "ratio_threshold": 10,
    "target_kl": 1,
    "compare_steps": 1,
    "score_clip": None,
    "whiten_rewards": False,
    "early_stopping": False,
    "use_score_scaling": False,
    "use_score_norm": False,
}


def test_the_defaults_are_the_original_ones() -> None:
    made = PPOConfig().to_dict()
    assert {name: made[name] for name in DEFAULTS} == DEFAULTS


def test_derived_numbers_follow() -> None:
    config = PPOConfig(batch_size=12, mini_batch_size=2, gradient_accumulation_steps=3, steps=25)
    assert (config.backward_batch_size, config.total_ppo_epochs) == (6, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": 100}, "must be a multiple"),
        ({"batch_size": 8, "mini_batch_size": 4, "gradient_accumulation_steps": 3}, "8 and 4 . 3"),
        ({"mini_batch_size": 0}, "mini_batch_size must be above 0"),
        ({"kl_penalty": "k3"}, "kl, abs, mse or full, got 'k3'"),
    ],
)
def test_wrong_values_are_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ClassicError, match=said):
        PPOConfig(**given)


def test_keys_that_change_nothing_are_named_and_misspelt_ones_refused(caplog: Any) -> None:
    PPOConfig(accelerator_kwargs={"mixed_precision": "no"}, compare_steps=1)
    assert "PPOConfig: no effect here: " in caplog.text
    assert "compare_steps" not in caplog.text
    with pytest.raises(TypeError, match="learning_rat"):
        PPOConfig(learning_rat=1.0)  # type: ignore[call-arg]
