"""How a model answers in a chat, as `key=value` on the command line and behind /set. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from luciola.config import from_mapping
from luciola.config.overrides import parse_overrides
from luciola.config.ranges import (
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    Range,
    Share,
    check_ranges,
)
from luciola.errors import ConfigError
from luciola.seeds import seed as seed_at
from luciola.types import Sampling

ShareAboveZero = Annotated[float, Range(0, 1, above=True)]


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """Every setting of an answer; docs/decoding.md explains them with examples."""

    max_new_tokens: Count = 1024
    """Tokens of an answer at most."""
    temperature: NotNegative = 0.7
    """Below 1 sharper, above 1 flatter; 0 always takes the likeliest token."""
    top_k: CountOrZero = 0
    """Only the k likeliest tokens; 0: all."""
    top_p: ShareAboveZero = 0.9
    """Only the likeliest tokens that together have this probability; 1: all."""
    min_p: Share = 0.0
    """Only tokens at least so many times as likely as the likeliest; 0: all."""
    typical_p: ShareAboveZero = 1.0
    """Only tokens about as surprising as expected that together have this probability; 1: all."""

    repetition_penalty: Positive = 1.0
    """Above 1: tokens of the conversation so far become less likely."""
    frequency_penalty: float = 0.0
    """Taken off a token's logit for each time that the answer has it."""
    presence_penalty: float = 0.0
    """Taken off a token's logit once the answer has it."""
    no_repeat_ngram: CountOrZero = 0
    """No sequence of so many tokens comes twice; 0: off."""

    beams: Count = 1
    """Beam search over so many beginnings, in the place of sampling; 1: off."""
    length_penalty: float = 1.0
    """Of beam search: above 0 longer answers gain, below 0 shorter ones."""
    contrastive_alpha: Share = 0.0
    """Contrastive search with this weight against repetition (0.6), in the place of sampling."""
    contrastive_k: Count = 4
    """Candidates per token of contrastive search."""
    beta: NotNegative = 0.0
    """Of a model that was trained with ILQL: weight of Q - V."""

    stop: tuple[str, ...] = ()
    """Texts that end an answer, as a,b or as a YAML list."""
    seed: int = 0
    """The same seed and conversation give the same answer."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.beams > 1 and self.contrastive_alpha > 0:
            raise ConfigError(
                f"beams={self.beams} and contrastive_alpha={self.contrastive_alpha:g} are two "
                "searches at once",
                remedy="Switch one off: beams=1 or contrastive_alpha=0.",
            )

    @property
    def sampling(self) -> Sampling:
        """The part that belongs to a row of the sampler."""
        values = asdict(self)
        return Sampling(**{f.name: values[f.name] for f in fields(Sampling)})

    @property
    def strategy(self) -> str:
        """The way tokens are chosen, in words."""
        if self.beams > 1:
            return f"beam search over {self.beams}: temperature and filters have no part in it"
        if self.contrastive_alpha > 0:
            return (
                f"contrastive search among {self.contrastive_k}: temperature and filters have no "
                "part in it"
            )
        return "greedy: always the likeliest token" if self.temperature == 0 else "sampling"


def changed(settings: ChatSettings, words: Sequence[str]) -> ChatSettings:
    """The settings with `key=value` words on top.

    Raises: ConfigError for an unknown key or a value that is not allowed.
    """
    return with_values(settings, parse_overrides(ChatSettings, words))


def with_values(settings: ChatSettings, values: Mapping[str, Any]) -> ChatSettings:
    """The settings with others on top, checked as `changed` does."""
    return from_mapping(ChatSettings, {**asdict(settings), **values}, "settings")


def seed_of(settings: ChatSettings, number: int) -> int:
    """The seed of the answer with this number, from 0."""
    return seed_at(settings.seed, "chat", number)


def listing(settings: ChatSettings) -> str:
    """Every setting as `key=value`, those that differ from the default marked."""
    lines = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        shown = f"{value:g}" if isinstance(value, float) else value
        shown = repr(list(value)) if isinstance(value, tuple) else shown
        lines.append(f"{'*' if value != field.default else ' '} {field.name}={shown}")
    return "\n".join([*lines, f"({settings.strategy}; * differs from the default)"])
