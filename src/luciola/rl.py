"""`luciola.rl.train(MODEL, reward_fn=..., prompts=...)`: trlx's call, and its configuration."""

from luciola.compat.trlx import (
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
    train,
)

__all__ = [
    "TRLConfig",
    "default_ilql_config",
    "default_ppo_config",
    "default_sft_config",
    "train",
]
