"""The recipe for supervised fine-tuning: chats, prompts and completions, or plain text."""

from __future__ import annotations

from dataclasses import dataclass

from luciola.config.ranges import Positive, SettingError, UpToHalf
from luciola.config.training import TrainingConfig


@dataclass(frozen=True)
class DataSource:
    """One file, folder or hub dataset, and its weight in the mixture."""

    path: str
    """JSONL, JSON, CSV or Parquet file, a folder of these, or hub:NAME[:SPLIT]."""
    weight: Positive = 1.0
    """How often this source is used per epoch; 0.5 takes a different half each epoch."""

    @staticmethod
    def from_text(text: str) -> dict[str, str]:
        """PATH or PATH@WEIGHT."""
        path, at, weight = text.rpartition("@")
        is_weighted = at and path and weight.replace(".", "", 1).isdigit()
        return {"path": path, "weight": weight} if is_weighted else {"path": text}


@dataclass(frozen=True, kw_only=True)
class SftConfig(TrainingConfig):
    """Fine-tune a causal language model on conversations, completions or plain text."""

    data: tuple[DataSource, ...]
    """Training data: one path, or several with weights."""
    eval_data: tuple[DataSource, ...] = ()
    """Held-out data for the evaluation loss."""
    eval_fraction: UpToHalf = 0.0
    """Share of the training data held out when eval_data is not given, 0 to 0.5."""
    system: str = ""
    """System prompt for conversations that have none."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise SettingError(("data",), "must not be empty")
        if self.eval_data and self.eval_fraction:
            raise SettingError(("eval_fraction",), "and eval_data are both given; one is enough")
        if self.patience and not (self.eval_data or self.eval_fraction):
            remedy = "Give eval_data=FILE or eval_fraction=0.05."
            raise SettingError(("patience",), "needs held-out data", remedy=remedy)
