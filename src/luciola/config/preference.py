"""Recipes that learn from comparisons of answers: reward models and DPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luciola.config.ranges import (
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    SettingError,
    UpToHalf,
)
from luciola.config.sft import DataSource
from luciola.config.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig(TrainingConfig):
    """Train on prompts with two or more answers, best first."""

    data: tuple[DataSource, ...]
    """Comparisons: one path, or several with weights."""
    eval_data: tuple[DataSource, ...] = ()
    """Held-out comparisons."""
    eval_fraction: UpToHalf = 0.0
    """Share of the data held out when eval_data is not given, 0 to 0.5."""
    system: str = ""
    """System prompt for conversations that have none."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""
    as_chat: bool = False
    """Treat plain-text prompts as a user message instead of text to continue."""
    max_prompt_length: CountOrZero = 0
    """If a prompt and its longest answer exceed max_length, keep at least this many of the prompt's
    last tokens before cutting answers. 0: half of max_length."""

    epochs: Positive = 1.0
    """Passes over the data; a second pass soon overfits."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise SettingError(("data",), "must not be empty")
        if self.max_prompt_length >= self.max_length:
            seen = f"must be below max_length={self.max_length}, got {self.max_prompt_length}"
            raise SettingError(("max_prompt_length",), seen)
        if self.eval_data and self.eval_fraction:
            raise SettingError(("eval_fraction",), "and eval_data are both given; one is enough")
        if self.patience and not (self.eval_data or self.eval_fraction):
            remedy = "Give eval_data=FILE or eval_fraction=0.05."
            raise SettingError(("patience",), "needs held-out data", remedy=remedy)

    @property
    def kept_prompt(self) -> int:
        """Tokens of a long prompt that are kept before an answer is cut."""
        return self.max_prompt_length or self.max_length // 2


@dataclass(frozen=True, kw_only=True)
class RewardConfig(PreferenceConfig):
    """Train a model that scores answers, from comparisons of them."""

    center: NotNegative = 0.0
    """Weight of (chosen score + rejected score)², which keeps scores near 0 (Eisenstein et al. 2023
    use 0.01)."""
    normalize_on: str = "answers"
    """Which scores get mean 0 and variance 1: answers (all answers in the training data), policy
    (answers sampled from the untrained model), or a file of chats or completions."""
    normalize_samples: Count = 256
    """Most answers to score for the normalisation."""
    normalize_tokens: Count = 128
    """With normalize_on=policy: tokens per sampled answer."""

    lr: NotNegative = 1e-4
    """Peak learning rate."""


@dataclass(frozen=True, kw_only=True)
class DpoConfig(PreferenceConfig):
    """Train a model to prefer the better answers, without a reward model (Rafailov et al. 2023)."""

    beta: Positive = 0.1
    """How strongly the model is kept near the reference; 0.1 as in the paper."""
    loss: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    """sigmoid (the paper's), hinge (SLiC, Zhao et al. 2023), or ipo (Azar et al. 2023)."""
    label_smoothing: UpToHalf = 0.0
    """Assumed share of comparisons that are the wrong way round, for sigmoid."""
    reference: str = ""
    """Reference model; empty: the model as it was before training."""

    lr: NotNegative = 1e-5
    """Peak learning rate; use 1e-6 or less with adapter=full."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing and self.loss != "sigmoid":
            seen = f"is for loss=sigmoid, and loss={self.loss} is given"
            raise SettingError(("label_smoothing",), seen)
        if self.label_smoothing >= 0.5:
            raise SettingError(("label_smoothing",), "must be below 0.5: at 0.5 nothing is learned")
