"""`luciola.rl.train(MODEL, reward_fn=..., prompts=...)`: trlx's call, and its configuration."""

from luciola.compat.trlx import (
    ILQLConfig,
    ModelConfig,
    OptimizerConfig,
    PPOConfig,
    SchedulerConfig,
    SFTConfig,
    TokenizerConfig,
    TrainConfig,
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
    train,
)

__all__ = [
    "ILQLConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PPOConfig",
    "SFTConfig",
    "SchedulerConfig",
    "TRLConfig",
    "TokenizerConfig",
    "TrainConfig",
    "default_ilql_config",
    "default_ppo_config",
    "default_sft_config",
    "train",
]
