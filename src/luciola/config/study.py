"""The recipe of a study: which prompts are put to which models, on which questions."""

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
    """A model that is asked: on this machine, or behind an endpoint."""

    model: str
    """Bundled name, folder or hub id; with url the name that the endpoint knows."""
    name: str = ""
    """What the report calls it."""
    raw: bool | None = None
    """The prompt is continued as it stands, without a chat template; else as it was trained."""
    representation: str = ""
    """Grids name it OWN; where not given, the one that the model's folder was trained with."""
    foreign_keys: bool | None = None
    """Of its own representation, where a grid says nothing else."""
    rule: bool | None = None
    """Of its own representation, where a grid says nothing else."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model, or with the tokenizer that counts for it."""
    context: CountOrZero = 0
    """Tokens of prompt and answer; 0: as the model's folder says, without limit for an endpoint."""

    url: str = ""
    """Base URL of an OpenAI-compatible endpoint."""
    key: str = "OPENAI_API_KEY"
    """Environment variable with the endpoint's key."""
    tokenizer: str = ""
    """Counts the tokens of an endpoint's prompts: a bundled model, a folder, or tiktoken's name."""
    requests_per_minute: NotNegative = 0.0
    """How often the endpoint may be asked; 0: no limit."""
    tokens_per_minute: NotNegative = 0.0
    """Tokens that the endpoint may read and write; 0: no limit."""
    prompt_price: NotNegative = 0.0
    """Per million tokens of prompts, in any currency."""
    answer_price: NotNegative = 0.0
    """Per million tokens of answers."""

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
    """The product of its lists; a list of one value each is a single point."""

    representations: tuple[str, ...] = PAPER
    """BS_P, TR_P, OD_P, CR_P, AS_P, CBR, HOUSE, a name of the published code, or OWN."""
    foreign_keys: tuple[Switch, ...] = ("default",)
    """default: as in the paper's figure 1."""
    rule: tuple[Switch, ...] = ("default",)
    """Whether "with no explanation" is said."""
    shots: tuple[CountOrZero, ...] = (0,)
    """Examples before the question."""
    selections: tuple[str, ...] = ("DAIL_S",)
    """RANDOM, QTS_S, MQS_S, QRS_S, DAIL_S, ORACLE."""
    organizations: tuple[str, ...] = ("DAIL_O",)
    """FI_O, SO_O, DAIL_O."""
    votes: tuple[Count, ...] = (1,)
    """Answers of which the most frequent result is taken; 1: the likeliest answer alone."""
    models: tuple[str, ...] = ()
    """Names of the models that are asked; all where none is given."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Put many kinds of prompts to models and compare what comes back."""

    questions: str
    """Rows with db_id, question and query; or a data set's folder and split, spider:dev."""
    models: tuple[StudyModel, ...]
    """The models that are asked."""
    grids: tuple[Grid, ...]
    """Products of settings; what several of them name is asked once."""
    out: str
    """Folder of the study."""

    databases: str = ""
    """Folder with ID/ID.sqlite for each db_id; where not given, the data set's."""
    tables: str = ""
    """tables.json of the databases, which exact match needs; where not given, the data set's."""
    pool: str = ""
    """Rows with db_id, question and query, or spider:train, from which examples are chosen."""
    limit: CountOrZero = 0
    """Questions that are asked; 0: all."""
    sample: Literal["stratified", "first"] = "stratified"
    """Which ones: the same shares of easy, medium, hard and extra as all have, or the first."""
    seed: int = 0
    """Of the sample, and of what votes draw."""

    similarity: str = "bm25"
    """How near questions are: bm25, minilm, mpnet, or an encoder's folder."""
    threshold: Share = 0.85
    """Likeness of queries that DAIL_S and QRS_S ask for."""
    first_answers: str = "MQS_S"
    """What DAIL_S and QRS_S compare with: the model's answers by MQS_S, by ZERO_SHOT, or a file."""
    cross_domain: bool = False
    """No examples of the question's own database."""

    max_tokens: Count = 200
    """Longest answer, in tokens."""
    temperature: NotNegative = 0.0
    """Of single answers; 0 takes the likeliest token."""
    vote_temperature: NotNegative = 1.0
    """Of answers that vote."""
    original: bool = False
    """Read replies and judge SQL exactly as the published programs do, defects included."""

    timeout: Positive = 5.0
    """Seconds that one query may run."""
    workers: Count = 2
    """Queries that run at once."""
    concurrency: Count = 8
    """Requests to an endpoint at once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where local models run."""

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
