"""The sections of a TRLConfig: trlx's names and defaults.

Left out: what named classes of trlx (pipeline, trainer), its tracker's projects, and Ray. Two
defaults differ: nothing is sent to a tracker, and a run's folder gets a readable name under runs/.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PPOConfig:
    """The method PPO."""

    name: str = "PPOConfig"
    ppo_epochs: int = 4
    """Passes over the rollouts."""
    num_rollouts: int = 128
    """Answers per iteration."""
    chunk_size: int = 128
    """Not read: the sampler sizes its own batches."""
    init_kl_coef: float = 0.001
    """Weight of the KL at the start."""
    target: float | None = None
    """KL per answer that the weight is adapted to; None: it stays."""
    horizon: int = 10000
    """Answers over which the weight follows."""
    gamma: float = 1.0
    """Discount."""
    lam: float = 0.95
    """GAE's lambda."""
    cliprange: float = 0.2
    """Of the ratio."""
    cliprange_value: float = 0.2
    """Of the value."""
    vf_coef: float = 1.0
    """Weight of the value loss."""
    scale_reward: str | None = "ignored"
    """running: scores are divided by their running deviation."""
    cliprange_reward: float = 10
    """Scores are clamped to ± this."""
    gen_experience_kwargs: dict[str, Any] | None = None
    """Instead of gen_kwargs, where it is given."""
    num_value_layers_unfrozen: int = 0
    """Above 0: the critic has weights of its own."""
    ref_mean: float | None = None
    """Not read."""
    ref_std: float | None = None
    """Not read."""
    gen_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"max_new_tokens": 40, "top_k": 0, "top_p": 1.0, "do_sample": True}
    )
    """max_new_tokens and temperature."""


@dataclass(frozen=True)
class ILQLConfig:
    """The method ILQL."""

    name: str = "ILQLConfig"
    tau: float = 0.7
    """Expectile of the value loss."""
    gamma: float = 0.99
    """Discount."""
    cql_scale: float = 0.1
    """Weight of the conservative term."""
    awac_scale: float = 1.0
    """Weight of imitation."""
    alpha: float = 0.001
    """How far the target heads follow at each synchronisation."""
    beta: float = 0.0
    """Advantage weight of imitation."""
    steps_for_target_q_sync: int = 5
    """Steps between synchronisations."""
    two_qs: bool = True
    """Two Q heads, of which the lower counts."""
    gen_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"max_new_tokens": 56, "top_k": 20, "beta": 1, "temperature": 1.0}
    )
    """max_new_tokens, temperature, top_k, and beta, which may be a list."""


@dataclass(frozen=True)
class SFTConfig:
    """Supervised fine-tuning."""

    name: str = "SFTConfig"
    gen_kwargs: dict[str, Any] = field(default_factory=dict)
    """Not read: nothing is sampled."""


@dataclass(frozen=True)
class ModelConfig:
    """The model, and what of it is trained."""

    model_path: str = ""
    """Hub id, folder or bundled name; what `train` is given comes first."""
    model_arch_type: str = "causal"
    """causal; there is no seq2seq."""
    num_layers_unfrozen: int = -1
    """How many of the last layers are trained, without peft_config; -1: every weight."""
    peft_config: Any = None
    """A LoraConfig of peft, or its settings; None: every weight is trained."""
    model_extra_configs: dict[str, Any] = field(default_factory=dict)
    """Not read."""


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer."""

    name: str = "adamw"
    """adamw or adamw_8bit_bnb."""
    kwargs: dict[str, Any] = field(
        default_factory=lambda: {
            "lr": 3e-5,
            "betas": (0.9, 0.95),
            "eps": 1e-8,
            "weight_decay": 1e-6,
        }
    )
    """lr, betas, eps, weight_decay."""


@dataclass(frozen=True)
class SchedulerConfig:
    """The learning rate over the steps."""

    name: str = "cosine_annealing"
    """cosine_annealing or linear."""
    kwargs: dict[str, Any] = field(default_factory=lambda: {"T_max": 1e12, "eta_min": 3e-5})
    """T_max and eta_min, or total_iters."""


@dataclass(frozen=True)
class TokenizerConfig:
    """The tokenizer, which is the model's own."""

    tokenizer_path: str = ""
    """Only the model's own, or empty."""
    padding_side: str = "left"
    """Not read: the side never changes a number."""
    truncation_side: str = "right"
    """Which side of a dialogue is cut."""
    tokenizer_extra_configs: dict[str, Any] = field(default_factory=dict)
    """Not read."""


@dataclass(frozen=True)
class TrainConfig:
    """Steps, evaluation, the run's folder."""

    total_steps: int = 10000
    """Optimizer steps at most."""
    seq_length: int = 1024
    """Tokens of prompt and answer together."""
    epochs: int = 100
    """PPO: iterations; else passes over the data."""
    batch_size: int = 32
    """Examples per optimizer step."""
    checkpoint_interval: int = 10000
    """Steps between checkpoints."""
    eval_interval: int = 100
    """Steps between evaluations."""
    checkpoint_dir: str = ""
    """Folder of the run; empty: a readable name under runs/."""
    tracker: str | None = None
    """wandb, tensorboard or trackio."""
    seed: int = 1000
    """Everything random follows from it."""
    minibatch_size: int | None = None
    """Not read: examples per forward pass never change a result here."""
    pipeline: str = ""
    """Not read."""
    trainer: str = ""
    """Not read: the method decides."""
    trainer_kwargs: dict[str, Any] = field(default_factory=dict)
    """Not read."""
    project_name: str = ""
    """Not read: WANDB_PROJECT names it."""
    save_best: bool = True
    """Not read: the last weights are the result."""
    save_optimizer: bool = True
    """Not read: checkpoints are whole."""
    resume_from_checkpoint: str | bool | None = None
    """Set: go on with the run of the same settings; else it begins anew."""
    run_name: str | None = None
    """Not read: checkpoint_dir names the run."""
    entity_name: str | None = None
    """Not read."""
    group_name: str | None = None
    """Not read."""
    logging_dir: str | None = None
    """Not read: figures lie in the run's folder."""
    rollout_logging_dir: str | None = None
    """Not read: the run's trace keeps answers token by token."""
    tags: tuple[str, ...] = ()
    """Not read."""


Method = PPOConfig | ILQLConfig | SFTConfig
METHODS: dict[str, type[Method]] = {
    "PPOConfig": PPOConfig,
    "ILQLConfig": ILQLConfig,
    "SFTConfig": SFTConfig,
}
