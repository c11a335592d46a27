"""The recipe for a study: which prompts to ask which models, on which questions."""

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
    check_ranges,
)

OWN = "OWN"
"""In a grid: the representation that a model names as its own."""
PAPER = ("BS_P", "TR_P", "OD_P", "CR_P", "AS_P")
Switch = Literal["default", "with", "without"]


@dataclass(frozen=True, kw_only=True)
class StudyModel:
    """A model to ask: on this machine or behind an endpoint."""

    model: str
    """Bundled name, folder or hub id; with url: the endpoint's model name."""
    name: str = ""
    """Name in the report."""
    raw: bool | None = None
    """true: continue the raw prompt; false: use the chat template; unset: as the model was
    trained."""
    representation: str = ""
    """What OWN stands for in grids; empty: the representation the model was trained with."""
    foreign_keys: bool | None = None
    """For its own representation, unless a grid says otherwise."""
    rule: bool | None = None
    """For its own representation, unless a grid says otherwise."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model or its tokenizer."""
    context: CountOrZero = 0
    """Tokens of prompt and answer together; 0: the model's own limit, none for an endpoint."""

    url: str = ""
    """Base URL of an OpenAI-compatible endpoint."""
    key: str = "OPENAI_API_KEY"
    """Environment variable that holds the endpoint's key."""
    tokenizer: str = ""
    """Tokenizer that counts an endpoint's prompt tokens: a bundled model, a folder, or a tiktoken
    name."""
    requests_per_minute: NotNegative = 0.0
    """Requests per minute; 0: no limit."""
    tokens_per_minute: NotNegative = 0.0
    """Prompt and answer tokens per minute; 0: no limit."""
    prompt_price: NotNegative = 0.0
    """Price per million prompt tokens, in any currency."""
    answer_price: NotNegative = 0.0
    """Price per million answer tokens."""

    @staticmethod
    def from_text(text: str) -> dict[str, str]:
        """MODEL or NAME@MODEL."""
        name, _, model = text.rpartition("@")
        return {"name": name, "model": model}

    @property
    def label(self) -> str:
        """What the report calls it; the last part of a path where it has no name."""
        return self.name or self.model.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every combination of the values in its lists."""

    representations: tuple[str, ...] = PAPER
    """BS_P, TR_P, OD_P, CR_P, AS_P, CBR, HOUSE, a name of the published code, or OWN."""
    foreign_keys: tuple[Switch, ...] = ("default",)
    """default: as in the paper's figure 1."""
    rule: tuple[Switch, ...] = ("default",)
    """Whether the prompt says "with no explanation"."""
    shots: tuple[CountOrZero, ...] = (0,)
    """Number of examples before the question."""
    selections: tuple[str, ...] = ("DAIL_S",)
    """RANDOM, QTS_S, MQS_S, QRS_S, DAIL_S, ORACLE."""
    organizations: tuple[str, ...] = ("DAIL_O",)
    """FI_O, SO_O, DAIL_O."""
    votes: tuple[Count, ...] = (1,)
    """Answers per question; the most frequent result wins. 1: one greedy answer."""
    models: tuple[str, ...] = ()
    """Names of the models to ask; empty: all."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Ask models with many kinds of prompts and compare the answers."""

    questions: str
    """Rows with db_id, question and query; or a dataset folder and split, such as spider:dev."""
    models: tuple[StudyModel, ...]
    """The models to ask."""
    grids: tuple[Grid, ...]
    """Grids of settings; a point named by several grids is asked once."""
    out: str
    """Folder of the study."""

    databases: str = ""
    """Folder with ID/ID.sqlite for each db_id; empty: the dataset's own."""
    tables: str = ""
    """tables.json of the databases, needed for exact match; empty: the dataset's own."""
    pool: str = ""
    """Where examples come from: rows with db_id, question and query, or spider:train."""
    limit: CountOrZero = 0
    """Number of questions to ask; 0: all."""
    sample: Literal["stratified", "first"] = "stratified"
    """Which questions: stratified by hardness, or the first."""
    seed: int = 0
    """Seed for the question sample and for votes."""

    similarity: str = "bm25"
    """Question similarity: bm25, minilm, mpnet, or an encoder's folder."""
    threshold: Share = 0.85
    """Query similarity that DAIL_S and QRS_S require."""
    first_answers: str = "MQS_S"
    """First answers that DAIL_S and QRS_S compare with: the model's own with MQS_S or ZERO_SHOT,
    or a file."""
    cross_domain: bool = False
    """Leave out examples from the question's own database."""
    allow_self: bool = False
    """Let a question that stands in the pool be its own example, with its SQL, as published."""

    max_tokens: Count = 200
    """Longest answer in tokens."""
    temperature: NotNegative = 0.0
    """Temperature of single answers; 0: greedy."""
    vote_temperature: NotNegative = 1.0
    """Temperature of answers that vote."""
    original: bool = False
    """Read replies and score SQL exactly as the published programs do, defects included."""

    timeout: Positive = 5.0
    """Time limit per query, in seconds."""
    workers: Count = 2
    """Queries to run at once."""
    concurrency: Count = 8
    """Concurrent requests per endpoint."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for local models."""

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("questions", "models", "grids", "out"):
            if not getattr(self, name):
                raise SettingError((name,), "must not be empty")
        self._check_names()
        if not self.pool and any(shots for grid in self.grids for shots in grid.shots):
            remedy = "Give pool=FILE, whose rows have db_id, question and query."
            raise SettingError(("pool",), "is missing, and a grid asks for shots", remedy=remedy)

    def _check_names(self) -> None:
        labels = [model.label for model in self.models]
        for index, label in enumerate(labels):
            if label in labels[:index]:
                place = ("models", index, "name")
                raise SettingError(place, f"{label!r} is another model's as well")
        for index, grid in enumerate(self.grids):
            for name in grid.models:
                if name not in labels:
                    raise SettingError(
                        ("grids", index, "models"),
                        f"names {name!r}, and the models are {', '.join(labels)}",
                    )
