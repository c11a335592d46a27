"""The recipe for ILQL: learning from logged answers and their rewards."""

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
    """Which end to cut from a sample longer than max_length."""
    standardize: bool = True
    """Shift and scale the rewards of all samples to mean 0 and variance 1."""
    system: str = ""
    """System prompt for conversations that have none."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""
    prompt_format: Literal["auto", "chat", "text"] = "auto"
    """Treat plain prompts as user turns or as raw text; auto: user turns if the tokenizer has a
    chat template."""

    tau: Share = 0.7
    """Expectile of the value loss; above 0.5 the value leans towards the better actions."""
    gamma: Share = 0.99
    """Discount per token."""
    cql_scale: NotNegative = 0.1
    """Weight of the conservative (CQL) term, which keeps Q low for tokens that the data lacks."""
    awac_scale: Positive = 1.0
    """Weight of imitation, the ordinary language-model loss."""
    awac_beta: NotNegative = 0.0
    """How much imitation favours tokens with an advantage; 0: all tokens count the same."""
    two_qs: bool = True
    """Use two Q heads and take the lower one; false: one Q head."""
    sync_every: Count = 5
    """Steps between updates of the target heads."""
    alpha: Share = 0.1
    """Polyak factor of the target update; 1 copies the Q heads."""
    head_lr: NotNegative = 0.0
    """Learning rate of the heads; 0: lr."""

    decode_beta: tuple[NotNegative, ...] = (1.0,)
    """Weights of Q - V when answering; each is evaluated, the last is saved with the model."""
    top_k: CountOrZero = 20
    """Sample only from this many best tokens when answering; 0: all."""
    temperature: NotNegative = 1.0
    """Sampling temperature; 0: greedy."""
    max_new_tokens: Count = 64
    """Longest answer in tokens; prompts may use the rest of max_length."""
    eval_prompts: str = ""
    """Prompts to answer for evaluation: a file, or FILE.py:function, MODULE:function."""
    eval_answers: Count = 1
    """Answers per evaluation prompt, for each decode_beta."""
    metric: str = ""
    """A function that scores these answers: FILE.py:function, MODULE:function."""
    reward: tuple[str, ...] = ()
    """Rewards that score them too, as in PPO; they are not trained on."""

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
