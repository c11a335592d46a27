"""The recipe for a text-to-SQL specialist: one database or many, with pairs of question and SQL."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal

from luciola.config.ranges import Count, NotNegative, Positive, SettingError, Share, UpToHalf
from luciola.config.training import TrainingConfig

OWN_PROMPTS = ("house", "copying")
REPRESENTATIONS = ("BS_P", "TR_P", "OD_P", "CR_P", "AS_P", "CBR", "HOUSE")
"""As `luciola.sql.dail.representation` calls them: the paper's five, and two more."""
PUBLISHED_NAMES = (
    *("BASELINE", "BASELINEWOFK", "TEXT", "TEXTWFK", "TEXTWRULE", "NUMBERSIGN", "NUMBERSIGNWFK"),
    *("NUMBERSIGNWORULE", "SQL", "SQLWRULE", "INSTRUCTION", "INSTRUCTIONWFK", "INSTRUCTIONWRULE"),
    "CBR",
)
"""Of the published code, which stand for a representation with or without keys and rule."""
THINK_FIRST = ("TEXTCOT", "NUMBERSIGNCOT", "SQLCOT", "INSTRUCTIONCOT")

FORM_DEFAULTS = {"foreign_keys": "auto", "rule": "auto", "chat": False, "strip_suffix": False}
"""What only a representation has."""

Switch = Annotated[Literal["auto", True, False], "true, false, or as something else says"]


@dataclass(frozen=True, kw_only=True)
class SqlConfig(TrainingConfig):
    """Teach a model to answer questions about databases with SQL.

    The defaults suit a small model and one database: many small steps at a high learning rate.
    """

    database: str
    """SQLite file or database URL; or a folder with ID/ID.sqlite for pairs that name a db_id."""
    pairs: str
    """File of training pairs: rows with question and query, and db_id if there are many
    databases."""
    eval_pairs: str = ""
    """Held-out pairs for the evaluation loss; `sql eval` measures how many answers are right."""
    eval_fraction: UpToHalf = 0.0
    """Share of the pairs held out when eval_pairs is not given, 0 to 0.5."""
    check_pairs: bool = True
    """Run the SQL of every pair before training; what cannot run is left out, with a notice."""
    max_failing_pairs: Share = 0.1
    """Refuse to train if more than this share of the pairs cannot run; 1 trains on the others."""
    pair_timeout: Positive = 5.0
    """Seconds that the SQL of one pair may run while it is checked."""
    allow_tables: tuple[str, ...] = ()
    """Tables and views that the model may know of, e.g. shop,employee; none: all tables."""
    allow_columns: tuple[str, ...] = ()
    """Of these tables only these columns, e.g. employee.name,employee.age."""

    prompt: str = "house"
    """house: few tokens, shared by all questions; copying: for databases not seen in training; or a
    DAIL-SQL representation: BS_P, TR_P, OD_P, CR_P, AS_P, CBR or HOUSE."""
    foreign_keys: Switch = "auto"
    """With a representation: show foreign keys; auto: as the representation's name says."""
    rule: Switch = "auto"
    """With a representation: ask for no explanation; auto: as the representation's name says."""
    chat: bool = False
    """With a representation: use the chat template instead of raw text to continue."""
    strip_suffix: bool = False
    """With a representation: move the space at its end to the start of the answer."""
    normalize: Switch = "auto"
    """Rewrite the pairs' SQL in one style: aliases resolved, names spelt as in the schema; auto:
    true, but false with a representation."""
    mentions: bool = True
    """Add the cell values that a question mentions; representations have none."""
    types: bool = False
    """With prompt=house: show the type of every column."""
    augment: bool = False
    """With prompt=copying: change names, tables and words in every epoch."""
    spoken: str = ""
    """File like Spider's tables.json with the words that people use for tables and columns."""

    epochs: NotNegative = 3.0
    """Passes over the pairs."""
    batch: Count = 8
    """Pairs per optimizer step, over all processes."""
    lr: NotNegative = 1e-3
    """Peak learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("database", "pairs"):
            if not getattr(self, name):
                raise SettingError((name,), "must not be empty")
        _check_prompt(self.prompt)
        _check_form(self)
        if self.eval_pairs and self.eval_fraction:
            raise SettingError(("eval_fraction",), "and eval_pairs are both given; one is enough")
        if self.patience and not (self.eval_pairs or self.eval_fraction):
            remedy = "Give eval_pairs=FILE or eval_fraction=0.05."
            raise SettingError(("patience",), "needs held-out data", remedy=remedy)

    @property
    def is_represented(self) -> bool:
        """Whether questions are put in a representation of DAIL-SQL."""
        return self.prompt not in OWN_PROMPTS

    @property
    def normalizes(self) -> bool:
        """Whether the SQL is brought into one style; the published form takes it as it stands."""
        return not self.is_represented if self.normalize == "auto" else self.normalize


def _check_prompt(prompt: str) -> None:
    """Raises: SettingError for a name that is none, or whose answers the pairs do not hold."""
    if prompt in THINK_FIRST:
        raise SettingError(
            ("prompt",),
            f"cannot be {prompt}: it asks to think first, and pairs hold no thoughts to learn",
            remedy="Take the representation that answers at once, e.g. prompt=CR_P.",
        )
    known = (*OWN_PROMPTS, *REPRESENTATIONS, *PUBLISHED_NAMES)
    if prompt not in known:
        near = _nearest(prompt, known)
        meant = f"Did you mean {near}? " if near else ""
        names = ", ".join((*OWN_PROMPTS, *REPRESENTATIONS))
        remedy = f"{meant}There are {names}, and the names of the published code."
        raise SettingError(("prompt",), f"cannot be {prompt!r}", remedy=remedy)


def _nearest(prompt: str, known: tuple[str, ...]) -> str | None:
    """The prompt that was probably meant: `House` is house, `CR` and `cr-p` are CR_P."""
    upper = prompt.upper().replace("-", "_")
    exact = [name for name in (prompt.lower(), upper, f"{upper}_P") if name in known]
    return next(iter([*exact, *get_close_matches(upper, known, n=1, cutoff=0.7)]), None)


def _check_form(config: SqlConfig) -> None:
    """Raises: SettingError for a setting that the prompt would pass over."""
    if config.augment and config.prompt != "copying":
        remedy = "What changes in every epoch is written in that prompt only."
        seen = f"needs prompt=copying, and prompt is {config.prompt}"
        raise SettingError(("augment",), seen, remedy=remedy)
    for name in ("types", "spoken") if config.is_represented else ():
        if getattr(config, name):
            remedy = f"Leave {name} out, or take prompt=house or copying."
            raise SettingError((name,), f"is no part of prompt={config.prompt}", remedy=remedy)
    for name, default in () if config.is_represented else FORM_DEFAULTS.items():
        if getattr(config, name) != default:
            remedy = "Leave it out, or take a representation, e.g. prompt=CR_P."
            seen = f"is for a representation, and prompt is {config.prompt}"
            raise SettingError((name,), seen, remedy=remedy)
