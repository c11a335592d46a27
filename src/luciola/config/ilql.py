"""The recipe of ILQL: learning from logged answers and how good they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luciola.config.ranges import (
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    SettingError,
    Share,
)
from luciola.config.sft import DataSource
from luciola.config.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class IlqlConfig(TrainingConfig):
    """Implicit language Q-learning (Snell et al. 2022) from answers with rewards."""

    data: tuple[DataSource, ...]
    """Answers with rewards: a path, several with weights, or FILE.py:function, MODULE:function."""
    truncation: Literal["right", "left"] = "right"
    """Which end of a sample longer than max_length is cut off."""
    standardize: bool = True
    """Shift and scale the rewards of all samples to mean 0 and variance 1."""
    system: str = ""
    """System prompt for conversations that have none."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""
    prompt_format: Literal["auto", "chat", "text"] = "auto"
    """How plain prompts are read: as a user's turns, or as raw text; auto: by the tokenizer."""

    tau: Share = 0.7
    """The expectile: above 0.5 the value leans to the better actions."""
    gamma: Share = 0.99
    """Discount per token."""
    cql_scale: NotNegative = 0.1
    """Weight of the conservative term, which keeps Q low for what was never said."""
    awac_scale: Positive = 1.0
    """Weight of imitation, the language model's own loss."""
    awac_beta: NotNegative = 0.0
    """How much imitation prefers tokens with an advantage; 0: all alike."""
    two_qs: bool = True
    """Two Q heads, of which the lower counts; else one."""
    sync_every: Count = 5
    """Steps between two moves of the target heads."""
    alpha: Share = 0.1
    """How far the target heads move to the Q heads each time."""
    head_lr: NotNegative = 0.0
    """Learning rate of the heads; 0: lr."""

    decode_beta: tuple[NotNegative, ...] = (1.0,)
    """Weight of Q - V when answering; each is evaluated, the last is kept with the model."""
    top_k: CountOrZero = 20
    """Best tokens that stay when answering; 0: all."""
    temperature: NotNegative = 1.0
    """Of the answers; 0: always the best token."""
    max_new_tokens: Count = 64
    """Tokens per answer at most; prompts keep max_length minus this."""
    eval_prompts: str = ""
    """Prompts to answer for evaluation: a file, or FILE.py:function, MODULE:function."""
    eval_answers: Count = 1
    """Answers to each of them, for each decode_beta."""
    metric: str = ""
    """A function that judges these answers: FILE.py:function, MODULE:function."""
    reward: tuple[str, ...] = ()
    """Rewards that judge them as well, as in PPO; nothing is trained on these."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise SettingError(("data",), "must not be empty")
        if not self.decode_beta:
            raise SettingError(("decode_beta",), "must not be empty")
        if self.max_new_tokens >= self.max_length:
            raise SettingError(("max_new_tokens",), f"leaves no room in {self.max_length} tokens")
        if self.head_lr and not self.lr:
            remedy = "Give lr a small number."
            raise SettingError(("head_lr",), "is a multiple of lr, which is 0", remedy=remedy)
        if self.patience:
            remedy = "Leave it out: the last weights are the result."
            raise SettingError(("patience",), "needs an evaluation loss", remedy=remedy)
        self._check_evaluation()

    def _check_evaluation(self) -> None:
        judged = bool(self.metric or self.reward)
        if self.eval_prompts and not judged:
            remedy = "Give metric=FILE.py:function or reward=…"
            raise SettingError(("eval_prompts",), "are answered, but nothing judges", remedy=remedy)
        if judged and not self.eval_prompts:
            name = "metric" if self.metric else "reward"
            remedy = "Give eval_prompts=FILE."
            raise SettingError((name,), "has no answers to judge", remedy=remedy)
