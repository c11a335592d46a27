"""A trained reward model at work: prompts and answers in, scores out.

    scorer = Scorer.load("runs/reward-…")
    scorer.score(["What is 2+2?"], ["4"])

A folder that holds a sequence classifier with one label but no `reward.json` works too; its scores
are given as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.conversation.answers import AnswerRenderer, Lengths, Prompt
from luciola.conversation.render import Renderer
from luciola.data.grouping import ends
from luciola.data.rows import Row, padded_rows
from luciola.errors import ConfigError, ModelError
from luciola.models.batch import Batch
from luciola.models.classifier import (
    CLASSIFIER,
    RewardModel,
    is_classifier,
    load_classifier,
)
from luciola.models.classifier_adapters import with_trained_adapter
from luciola.models.kernels import unplanned
from luciola.models.load import load_tokenizer
from luciola.models.source import ADAPTER, resolve
from luciola.runs.atomic import write_atomically
from luciola.types import Message, Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD = "reward.json"
LONGEST = 4096
"""Tokens kept of an example where nothing says how many the model was trained with."""


@dataclass(frozen=True)
class RewardCard:
    """How a reward model's raw scores become its scores, and what it was trained to read.

    Args:
        gain, bias: score = gain · raw + bias, so that the reference policy's answers have mean 0
            and variance 1.
        as_chat: a prompt that is a plain text is a user's message, not text to be continued.
        system: system message for conversations that have none.
        max_length, max_prompt_length: how long examples are cut; see `conversation.answers`.
        normalized_on: whose answers gave gain and bias, for people.
    """

    gain: float = 1.0
    bias: float = 0.0
    as_chat: bool = False
    system: str = ""
    max_length: int = LONGEST
    max_prompt_length: int = LONGEST // 2
    normalized_on: str = ""

    @property
    def lengths(self) -> Lengths:
        return Lengths(self.max_length, self.max_prompt_length)

    def write(self, folder: Path) -> None:
        """Put it beside the weights."""
        write_atomically(folder / CARD, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> RewardCard:
        """The card of a folder; one that changes nothing where there is none.

        Raises: ModelError if it is damaged.
        """
        file = folder / CARD
        if not file.is_file():
            return cls()
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"{file} is damaged ({error})", remedy="Copy it again from the run's folder."
            ) from error


class Scorer:
    """Scores answers with a reward model.

    Args:
        model: a `RewardModel` or what scores batches like one, on its device.
        tokenizer: with the chat template that the model was trained with.
        card: of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        card: RewardCard,
        *,
        device: torch.device | None = None,
    ) -> None:
        self.model = model.eval()
        self.card = card
        renderer = Renderer(tokenizer, system=card.system)
        self.render = AnswerRenderer(renderer, card.lengths, closed=True)
        self.device = device or next(model.parameters()).device

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "auto",
        *,
        trust_remote_code: bool = False,
    ) -> Scorer:
        """The reward model of a run's folder, or of any folder or hub id that holds one.

        Weights are bfloat16 on a GPU, where scores differ by about 1 % from float32, else float32.

        Raises: ModelError if there is none.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        source = resolve(path)
        _check(source.location, source.is_local, trust_remote_code)
        dtype = torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32
        base = load_classifier(
            str(path),
            dtype=dtype,
            device="cpu",
            attention="sdpa",
            trust_remote_code=trust_remote_code,
        )
        model = RewardModel(with_trained_adapter(base, str(path)))
        card = RewardCard.read(Path(source.location)) if source.is_local else RewardCard()
        tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
        return cls(model.to(device), tokenizer, card)

    def score(
        self, prompts: Sequence[Prompt], answers: Sequence[str], *, batch_tokens: int = 8192
    ) -> list[float]:
        """One score per answer.

        Args:
            prompts: plain texts, or the messages before the answer.
            answers: texts, without an end token.
            batch_tokens: tokens per forward pass, padding included.

        Raises: ConfigError if there are not as many prompts as answers.
        """
        if len(prompts) != len(answers):
            raise ConfigError(f"{len(prompts)} prompts and {len(answers)} answers were given")
        samples = [
            self.render(self.read(prompt), [answer])[0]
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        return self.score_tokens(samples, batch_tokens=batch_tokens)

    def score_tokens(self, samples: Sequence[Tokens], *, batch_tokens: int = 8192) -> list[float]:
        """The same for answers that are tokens already, each ending with its end token."""
        scores = [0.0] * len(samples)
        for row in padded_rows(samples, batch_tokens):
            for index, raw in zip(row.examples, self._raw(row), strict=True):
                scores[index] = self.card.gain * raw + self.card.bias
        return scores

    def read(self, prompt: Prompt) -> Prompt:
        """A prompt as the model was trained to see it."""
        is_message = isinstance(prompt, str) and self.card.as_chat
        return (Message("user", str(prompt)),) if is_message else prompt

    @torch.no_grad()
    def _raw(self, row: Row) -> list[float]:
        with unplanned():  # each call has another shape
            raw: list[float] = self.model(Batch.of(at_ends(row), self.device)).tolist()
        return raw


def at_ends(row: Row) -> Row:
    """The row with its outputs read at the last token of each example, in their order."""
    places = ends(row) if row.examples else row.source[:0]
    return replace(row, source=places, labels=places[:, 1])


def _check(location: str, is_local: bool, trusted: bool) -> None:
    """Raises: ModelError if a folder holds a language model, whose head for scores would be
    random.
    """
    if is_local:
        adapter = Path(location) / ADAPTER
        if adapter.is_file():
            trained = _json(adapter).get("task_type") == "SEQ_CLS"
        else:
            trained = is_classifier(location, trust_remote_code=trusted)
        if not trained:
            raise ModelError(
                f"{location} is no reward model (no {CLASSIFIER} among its architectures)",
                remedy="Train one: luciola train reward model=MODEL data=PREFERENCES.jsonl",
            )


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
