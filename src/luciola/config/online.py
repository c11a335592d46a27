"""Recipes for the online methods: the model answers, a reward scores, the model learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luciola.config.ranges import Count, CountOrZero, NotNegative, Positive, SettingError, Share
from luciola.config.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class OnlineConfig(TrainingConfig):
    """Settings that PPO, A2C, GRPO and RLOO share: prompts, rollouts, reward, reference."""

    prompts: str
    """JSONL, JSON, CSV, Parquet or text file of prompts, or FILE.py:function, MODULE:function."""
    eval_prompts: str = ""
    """Prompts for evaluation, in the same forms; empty: no evaluation."""
    reward: tuple[str, ...]
    """What scores the answers: FILE.py:function, model:FOLDER, length:…, …; several are summed."""
    reward_timeout: NotNegative = 0.0
    """Seconds that a reward may take for the answers of an iteration; then the run ends, and can be
    resumed. 0: no limit."""
    metric: str = ""
    """A function that scores evaluation answers without being trained on."""
    system: str = ""
    """System prompt for conversations that have none."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""
    prompt_format: Literal["auto", "chat", "text"] = "auto"
    """Treat a plain prompt as a user turn or as raw text; auto: a user turn if the tokenizer has a
    chat template."""

    epochs: Positive = 1.0
    """Passes over the prompts."""
    iterations: CountOrZero = 0
    """Rounds of rollouts and updates; 0: epochs decides."""
    rollouts: Count = 64
    """Answers per iteration, over all processes."""
    answers: Count = 1
    """Answers per prompt."""
    updates: Count = 4
    """Passes over an iteration's answers; each pass is shuffled and cut into batches."""
    batch: Count = 16
    """Answers per optimizer step, over all processes."""

    max_new_tokens: Count = 64
    """Longest answer in tokens; prompts may use the rest of max_length."""
    temperature: Positive = 1.0
    """Temperature for sampling and for all log-probabilities."""
    stop: tuple[str, ...] = ()
    """Strings that end an answer."""
    engine: Literal["auto", "fast", "plain"] = "auto"
    """What samples. auto: on a GPU the fast engine where it knows the model, else the plain
    sampler; fast: the engine or an error."""
    old_logprobs: Literal["trainer", "sampler"] = "trainer"
    """Which log-probabilities count as the old ones: recomputed by the trainer, or the sampler's
    own."""

    missing_end_penalty: NotNegative = 0.0
    """Subtracted from the score of an answer that max_new_tokens cut off."""
    score_scaling: Literal["none", "scale", "normalize"] = "none"
    """scale: divide scores by their running standard deviation; normalize: also subtract their
    running mean."""
    score_clip: NotNegative = 0.0
    """Clip scores to this absolute value, after scaling; 0: no limit."""

    share_reward_base: bool = True
    """Let a reward model that is an adapter on the policy's base share the policy's weights."""
    reference: str = ""
    """Reference model for the KL; empty: the model as it was at the start."""
    kl_coef: NotNegative = 0.05
    """Weight of the KL to the reference model."""
    kl_estimator: Literal["k1", "k2", "k3", "abs", "full"] = "k1"
    """Estimator of each token's KL; full: exact, over the whole vocabulary."""
    clip: Positive = 0.2
    """Clip range ε of the probability ratio."""
    ratio_threshold: Positive = 10.0
    """Skip a batch whose mean probability ratio is above this."""
    target_kl: NotNegative = 0.0
    """End an iteration's updates when the KL from its start exceeds 1.5 times this, in nats per
    token; 0: off."""

    lr: NotNegative = 1e-5
    """Highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "linear"
    """What the learning rate does after the warm-up."""
    adam_eps: Positive = 1e-5
    """AdamW's epsilon; smaller values make the first steps too large."""
    trace_every: CountOrZero = 0
    """Iterations between token traces (`luciola trace`); 0: about twenty over the run."""
    trace_prompts: CountOrZero = 4
    """Number of prompts to trace, the first in the data; 0: no trace."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prompts:
            raise SettingError(("prompts",), "must not be empty")
        if not self.reward:
            raise SettingError(("reward",), "must not be empty")
        if self.rollouts % self.answers:
            raise SettingError(("rollouts",), f"must be a multiple of answers={self.answers}")
        if self.max_new_tokens >= self.max_length:
            raise SettingError(("max_new_tokens",), f"leaves no room in {self.max_length} tokens")
        if (self.patience or self.metric) and not self.eval_prompts:
            name = "patience" if self.patience else "metric"
            remedy = "Give eval_prompts=FILE."
            raise SettingError((name,), "has no answers to judge", remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig(OnlineConfig):
    """Settings that PPO and A2C share: the critic."""

    kl_target: NotNegative = 0.0
    """Adapt kl_coef to keep an answer's KL near this, in nats; 0: fixed kl_coef."""
    kl_horizon: Positive = 10_000.0
    """Horizon of the KL controller, in answers."""
    gamma: Share = 1.0
    """Discount per token."""
    lam: Share = 0.95
    """GAE's lambda."""
    vf_coef: NotNegative = 0.1
    """Weight of the value loss."""
    entropy_coef: NotNegative = 0.0
    """Weight of the entropy bonus."""
    whiten_rewards: bool = False
    """Scale rewards to variance 1 over an iteration; the mean is kept."""
    whiten_advantages: bool = True
    """Scale advantages to mean 0 and variance 1 over an iteration."""
    critic: Literal["shared", "separate"] = "shared"
    """shared: the value head reads the policy's hidden states; separate: the critic has its own
    weights."""
    value_init: str = "zero"
    """Initial value head: zero, random, or the folder of a reward model."""
    critic_lr: NotNegative = 0.0
    """Learning rate of the value head and critic; 0: lr."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kl_target and not self.kl_coef:
            remedy = "Give kl_coef=0.05, which then follows the KL."
            raise SettingError(("kl_target",), "multiplies kl_coef, which is 0", remedy=remedy)
        if self.critic_lr and not self.lr:
            remedy = "Give lr a small number."
            raise SettingError(("critic_lr",), "is a multiple of lr, which is 0", remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class PpoConfig(ActorCriticConfig):
    """Proximal policy optimisation (Schulman et al. 2017) of a causal language model."""

    clip_value: NotNegative = 0.2
    """Clip range of the value within an iteration; 0: no clipping."""


@dataclass(frozen=True, kw_only=True)
class A2cConfig(ActorCriticConfig):
    """Advantage actor-critic (Mnih et al. 2016): one step on each iteration's answers."""

    updates: Count = 1
    """Passes over an iteration's answers."""
    batch: Count = 64
    """Answers per optimizer step, over all processes."""


@dataclass(frozen=True, kw_only=True)
class GroupConfig(OnlineConfig):
    """Settings that GRPO and RLOO share: the answers to one prompt are each other's baseline."""

    answers: Count = 8
    """Answers per prompt."""
    updates: Count = 1
    """Passes over an iteration's answers."""
    loss_weights: Literal["token", "sequence", "constant"] = "token"
    """What is weighted equally in the loss: tokens, answers, or each token divided by
    max_new_tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.answers == 1 and self.compares_answers:
            remedy = "Take answers=4 or more."
            raise SettingError(("answers",), "must be compared with others, got 1", remedy=remedy)

    @property
    def compares_answers(self) -> bool:
        """Whether an answer's baseline comes from the other answers to its prompt."""
        return True


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(GroupConfig):
    """Group relative policy optimisation (Shao et al. 2024); the KL is part of the loss."""

    scale_by_std: bool = True
    """Divide a group's advantages by its standard deviation (false: Dr. GRPO)."""
    kl_estimator: Literal["k1", "k2", "k3", "abs", "full"] = "k3"
    """How the KL of a token is estimated; in the loss only k2 and k3 have its gradient."""


@dataclass(frozen=True, kw_only=True)
class RlooConfig(GroupConfig):
    """REINFORCE with a baseline: leave-one-out (Ahmadian et al. 2024) or the batch's mean."""

    answers: Count = 4
    """Answers per prompt."""
    baseline: Literal["leave-one-out", "batch"] = "leave-one-out"
    """leave-one-out: the other answers to the prompt; batch: all tokens of the iteration
    (REINFORCE++)."""

    @property
    def compares_answers(self) -> bool:
        """False where the whole batch is the baseline."""
        return self.baseline == "leave-one-out"
