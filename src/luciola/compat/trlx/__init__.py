"""trlx's call and its configuration, over our recipes."""

from luciola.compat.trlx.config import (
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
)
from luciola.compat.trlx.sections import (
    ILQLConfig,
    ModelConfig,
    OptimizerConfig,
    PPOConfig,
    SchedulerConfig,
    SFTConfig,
    TokenizerConfig,
    TrainConfig,
)
from luciola.compat.trlx.training import train

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
