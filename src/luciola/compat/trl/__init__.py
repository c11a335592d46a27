"""The classic PPO interface of TRL up to 0.11: the same calls, statistics and numbers."""

from luciola.compat.trl.config import PPOConfig
from luciola.compat.trl.core import LengthSampler, set_seed
from luciola.compat.trl.errors import ClassicError
from luciola.compat.trl.reference import create_reference_model
from luciola.compat.trl.seq2seq import AutoModelForSeq2SeqLMWithValueHead
from luciola.compat.trl.trainer import PPOTrainer
from luciola.compat.trl.value_head import AutoModelForCausalLMWithValueHead

__all__ = [
    "AutoModelForCausalLMWithValueHead",
    "AutoModelForSeq2SeqLMWithValueHead",
    "ClassicError",
    "LengthSampler",
    "PPOConfig",
    "PPOTrainer",
    "create_reference_model",
    "set_seed",
]
