"""A model that was trained with ILQL, at work: texts in, answers out.

    model = IlqlModel.load("runs/ilql-…")
    model.answer(["The film was"], beta=4)

Weights stay float32: a large beta makes rounding errors of Q as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from luciola.conversation.render import Renderer
from luciola.errors import ModelError
from luciola.models.adapters import merged_if_possible
from luciola.models.answering import best_device
from luciola.models.load import load_model, load_tokenizer
from luciola.models.q_heads import QCard, QHeads, load_heads
from luciola.models.source import resolve
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.steering import Advantage
from luciola.rollout.text import Answer, read
from luciola.types import Message, Request, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Prompt = str | Sequence[Message]


class IlqlModel:
    """Answers with a language model and the heads that were trained with it.

    Args:
        model: on its device; an adapter is in its weights, if its kind has a merge.
        heads: beside it.
        tokenizer: with the chat template that the model was trained with.
        card: how it answers unless told otherwise.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        heads: QHeads,
        tokenizer: PreTrainedTokenizerBase,
        card: QCard,
    ) -> None:
        self.model = model
        self.heads = heads
        self.tokenizer = tokenizer
        self.card = card
        self.renderer = Renderer(tokenizer, system=card.system)

    @classmethod
    def load(
        cls, path: str | Path, device: str = "auto", *, trust_remote_code: bool = False
    ) -> IlqlModel:
        """The model of a run's folder, or of its `model` folder.

        Raises: ModelError if there is none, or it has no heads.
        """
        source = resolve(path)
        if not source.is_local:
            raise ModelError(f"{path} is no folder, so it has no heads of ILQL")
        loaded: Any = load_model(
            source,
            dtype=torch.float32,
            device=best_device(device),
            trust_remote_code=trust_remote_code,
        )
        loaded = merged_if_possible(loaded)
        heads, card = load_heads(source.path, loaded)
        tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
        return cls(loaded.eval(), heads, tokenizer, card)

    def sampler(
        self, *, beta: float | None = None, forbidden: Tensor | None = None
    ) -> NaiveSampler:
        """What answers requests of tokens; the arguments are those of `answer`."""
        weight = self.card.beta if beta is None else beta
        return NaiveSampler(
            self.model,
            end_ids=self.renderer.end_ids(),
            tokenizer=self.tokenizer,
            steering=Advantage(self.heads, weight, forbidden),
        )

    def answer(
        self,
        prompts: Sequence[Prompt],
        *,
        beta: float | None = None,
        top_k: int | None = None,
        temperature: float | None = None,
        max_new_tokens: int | None = None,
        forbidden: Tensor | None = None,
        stop: tuple[str, ...] = (),
        seed: int = 0,
    ) -> list[Answer]:
        """One answer to each prompt; what is None is as the recipe had it.

        Args:
            prompts: texts, or conversations.
            beta: weight of Q - V; 0: the language model alone.
            forbidden: (V, V) bool, True where the column's token may not follow the row's.
            stop: texts that end an answer.
            seed: the answers' noise follows from it and their place.
        """
        card = self.card
        settings = {"temperature": temperature, "top_k": top_k, "max_new_tokens": max_new_tokens}
        given = {name: value for name, value in settings.items() if value is not None}
        sampling = replace(
            Sampling(card.max_new_tokens, card.temperature, card.top_k),
            **given,  # type: ignore[arg-type]
        )
        requests = [
            Request(self._ids(prompt), sampling=sampling, seed=seed + place, stop=stop)
            for place, prompt in enumerate(prompts)
        ]
        samples = self.sampler(beta=beta, forbidden=forbidden).sample(requests)
        return [read(sample, self.tokenizer, stop) for sample in samples]

    def _ids(self, prompt: Prompt) -> list[int]:
        """A prompt as the model was trained to see it."""
        if isinstance(prompt, str) and not self.card.chat:
            return self.renderer.text_prompt_ids(prompt)
        turns = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        return self.renderer.prompt_ids(turns)
