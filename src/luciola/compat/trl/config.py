"""PPOConfig: the classic trainer's settings, names and defaults (TRL 0.11.4).

Left out: what only spoke to the hub or to a distributed launcher. Those keys are accepted, so that
old scripts start, and named once in the log where they are set, because they change nothing here.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from typing import Any, Literal

from luciola.compat.trl.errors import ClassicError

log = logging.getLogger(__name__)

WITHOUT_EFFECT = (
    "remove_unused_columns",
    "accelerator_kwargs",
    "push_to_hub_if_best_kwargs",
    "forward_batch_size",
    "world_size",
    "optimize_cuda_cache",
    "optimize_device_cache",
    "gradient_checkpointing",
    "dataset_num_proc",
    "compare_steps",
    "is_encoder_decoder",
    "is_peft_model",
)
POSITIVE = (
    "steps",
    "batch_size",
    "mini_batch_size",
    "gradient_accumulation_steps",
    "ppo_epochs",
    "target",
    "horizon",
)


@dataclass
class PPOConfig:
    """Settings of a `PPOTrainer`; every one may also be changed before the trainer is made.

    Raises: ClassicError where a value cannot be used.
    """

    exp_name: str = "ppo"
    """Name of the run for a tracker."""
    seed: int = 0
    """Seed of python, numpy and torch when the trainer is made."""
    log_with: str | None = None
    """Where `log_stats` sends its figures: tensorboard, wandb or trackio."""
    task_name: str | None = None
    """A remark; not read."""
    model_name: str | None = "gpt2"
    """For the script's own use; not read."""
    query_dataset: str | None = "imdb"
    """For the script's own use; not read."""
    reward_model: str | None = "sentiment-analysis:lvwerra/distilbert-imdb"
    """For the script's own use; not read."""
    tracker_kwargs: dict[str, Any] = field(default_factory=dict)
    """Shown beside the figures in the tracker."""
    tracker_project_name: str = "trl"
    """Not read: WANDB_PROJECT or TRACKIO_PROJECT name the project."""
    project_kwargs: dict[str, Any] = field(default_factory=dict)
    """`logging_dir`: the folder of a tracker that writes files."""

    steps: int = 20000
    """Samples over the whole training; only `total_ppo_epochs` follows from it."""
    learning_rate: float = 1.41e-5
    """Of the Adam that is made where no optimizer is given."""
    adap_kl_ctrl: bool = True
    """Move the KL coefficient towards `target`; else it stays as it begins."""
    init_kl_coef: float = 0.2
    """KL coefficient at the start."""
    kl_penalty: Literal["kl", "abs", "mse", "full"] = "kl"
    """lp - ref, its size, half its square, or the exact divergence over the vocabulary."""
    target: float = 6.0
    """KL per answer, in nats, that the controller aims at."""
    horizon: float = 10000.0
    """Samples over which the controller reacts."""
    gamma: float = 1.0
    """Discount per token."""
    lam: float = 0.95
    """Lambda of GAE."""
    cliprange: float = 0.2
    """Half-width of the trust interval on the ratio."""
    cliprange_value: float = 0.2
    """How far a value may move in one step."""
    vf_coef: float = 0.1
    """Weight of the value loss."""
    batch_size: int = 128
    """Samples per `step`, in each process."""
    mini_batch_size: int = 128
    """Samples per forward pass."""
    gradient_accumulation_steps: int = 1
    """Mini-batches per optimizer step."""
    ppo_epochs: int = 4
    """Passes over the samples of one `step`."""
    max_grad_norm: float | None = None
    """The gradient is scaled down to this norm; None: never."""
    early_stopping: bool = False
    """Leave a `step` after the epoch in which the policy has moved 1.5 times `target_kl`."""
    target_kl: float = 1.0
    """For `early_stopping`, in nats per token."""
    ratio_threshold: float = 10.0
    """A mini-batch whose mean ratio is larger is skipped."""
    use_score_scaling: bool = False
    """Divide scores by their running standard deviation."""
    use_score_norm: bool = False
    """With `use_score_scaling`: also subtract their running mean."""
    score_clip: float | None = None
    """Clamp scores to ± this, after scaling."""
    whiten_rewards: bool = False
    """Whiten the rewards of the tokens, keeping their mean, before the advantages."""

    remove_unused_columns: bool = True
    accelerator_kwargs: dict[str, Any] = field(default_factory=dict)
    push_to_hub_if_best_kwargs: dict[str, Any] = field(default_factory=dict)
    forward_batch_size: int | None = None
    world_size: int | None = None
    optimize_cuda_cache: bool | None = None
    optimize_device_cache: bool = False
    gradient_checkpointing: bool = False
    dataset_num_proc: int | None = None
    compare_steps: int = 1
    is_encoder_decoder: bool | None = None
    is_peft_model: bool | None = None

    def __post_init__(self) -> None:
        self.check()
        idle = [f.name for f in dataclasses.fields(self) if self._is_set_in_vain(f)]
        if idle:
            log.warning("PPOConfig: no effect here: %s", ", ".join(idle))

    def _is_set_in_vain(self, item: dataclasses.Field[Any]) -> bool:
        if item.name not in WITHOUT_EFFECT:
            return False
        makes = item.default_factory
        default = item.default if makes is dataclasses.MISSING else makes()
        return bool(getattr(self, item.name) != default)

    def check(self) -> None:
        """Raises: ClassicError where a value cannot be used."""
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise ClassicError(f"PPOConfig.{name} must be above 0, got {getattr(self, name)!r}")
        if self.kl_penalty not in ("kl", "abs", "mse", "full"):
            raise ClassicError(
                f"PPOConfig.kl_penalty must be kl, abs, mse or full, got {self.kl_penalty!r}"
            )
        if self.batch_size % self.backward_batch_size:
            raise ClassicError(
                "`batch_size` must be a multiple of `mini_batch_size * "
                f"gradient_accumulation_steps`, got {self.batch_size} and "
                f"{self.mini_batch_size} * {self.gradient_accumulation_steps}",
                remedy="Lower mini_batch_size; its default is 128, whatever batch_size is.",
            )

    @property
    def backward_batch_size(self) -> int:
        """Samples per optimizer step."""
        return self.mini_batch_size * self.gradient_accumulation_steps

    @property
    def total_ppo_epochs(self) -> int:
        """How often `step` is called over the whole training."""
        return -(-self.steps // self.batch_size)

    def to_dict(self) -> dict[str, Any]:
        """Every setting by its name."""
        return dataclasses.asdict(self)
