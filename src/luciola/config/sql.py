"""The recipe of a text-to-SQL specialist: one database or many, and pairs of question and SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luciola.config.ranges import Count, NotNegative, SettingError, UpToHalf
from luciola.config.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class SqlConfig(TrainingConfig):
    """Teach a model to answer questions about databases with SQL.

    The defaults suit a small model and one database: many small steps at a high rate.
    """

    database: str
    """SQLite file or database URL; or a folder with ID/ID.sqlite for pairs that name a db_id."""
    pairs: str
    """File of training pairs: rows with question and query, in a folder of databases db_id too."""
    eval_pairs: str = ""
    """Held-out pairs for the evaluation loss; sql eval says how many answers are right."""
    eval_fraction: UpToHalf = 0.0
    """Share of the pairs held out when eval_pairs is not given, 0 to 0.5."""

    normalize: bool = True
    """Bring the pairs' SQL into one style: aliases resolved, the schema's spelling."""
    mentions: bool = True
    """Put the cell values that a question mentions behind it."""
    types: bool = False
    """Show the type of every column."""
    prompt: Literal["house", "copying"] = "house"
    """house: few tokens, shared by all questions; copying: for databases that were never seen."""
    augment: bool = False
    """Other names, tables and words in every epoch, with prompt=copying."""
    spoken: str = ""
    """File in the format of Spider's tables.json with what people call tables and columns."""

    epochs: NotNegative = 3.0
    """Passes over the pairs."""
    batch: Count = 8
    """Pairs per optimizer step, over all processes."""
    lr: NotNegative = 1e-3
    """Highest learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("database", "pairs"):
            if not getattr(self, name):
                raise SettingError((name,), "must not be empty")
        if self.augment and self.prompt != "copying":
            raise SettingError(("augment",), "needs prompt=copying")
        if self.eval_pairs and self.eval_fraction:
            raise SettingError(("eval_fraction",), "and eval_pairs are both given; one is enough")
        if self.patience and not (self.eval_pairs or self.eval_fraction):
            remedy = "Give eval_pairs=FILE or eval_fraction=0.05."
            raise SettingError(("patience",), "needs held-out data", remedy=remedy)
