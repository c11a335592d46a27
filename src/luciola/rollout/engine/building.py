"""The sampler for a model: the fast engine where it knows the model, else the plain one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch

from luciola.errors import ConfigError
from luciola.models.virtual_tokens import has_virtual_tokens
from luciola.rollout.engine.engine import FastEngine
from luciola.rollout.engine.probe import agrees
from luciola.rollout.engine.source import Source
from luciola.rollout.engine.weights import UnknownNetworkError
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Choice = Literal["auto", "fast", "plain"]

log = logging.getLogger(__name__)


def build(
    model: PreTrainedModel,
    *,
    engine: Choice = "auto",
    adopt: bool = False,
    end_ids: Collection[int],
    tokenizer: PreTrainedTokenizerBase | None = None,
    batch: int | None = None,
    stride: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ChosenSampler:
    """A sampler for `model` where it lies.

    Args:
        model: a causal language model, with or without an adapter.
        engine: "auto": the fast engine where it knows the model, with a notice where it does not;
            "fast": an error in that case; "plain": the reference sampler.
        adopt: the model's parameters may become views of the engine's, so that nothing is in
            memory twice; for a model that nobody trains or saves.
        end_ids, tokenizer, batch, stride, progress: as of `NaiveSampler`.
    """
    options: dict[str, Any] = {
        "end_ids": end_ids, "tokenizer": tokenizer, "batch": batch, "stride": stride,
    }  # fmt: skip
    return ChosenSampler(model, engine, adopt, options, progress)


class ChosenSampler:
    """Chooses at the first request, when the model's weights are where they will stay;
    `luciola.types.Sampler`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        engine: Choice,
        adopt: bool,
        options: dict[str, Any],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.model, self.engine, self.adopt = model, engine, adopt
        self.options = options
        self.progress = progress
        self.version = 0
        self._chosen: FastEngine | NaiveSampler | None = None

    @property
    def chosen(self) -> FastEngine | NaiveSampler:
        """What answers.

        Raises: ConfigError where engine="fast" and the model is not one for it.
        """
        if self._chosen is None:
            self._chosen = self._fast() or NaiveSampler(self.model, **self.options)
            self._chosen.version = self.version
        return self._chosen

    def sync(self, version: int) -> None:
        """Take over the trainer's weights as they are now."""
        self.version = version
        if self._chosen is not None:
            self._chosen.sync(version)

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """All answers, in the order of the requests, those to one request side by side."""
        self.chosen.progress = self.progress
        return self.chosen.sample(requests)

    def _fast(self) -> FastEngine | None:
        if self.engine == "plain":
            return None
        reason = ""
        try:
            if has_virtual_tokens(self.model):
                raise UnknownNetworkError("its adapter stands before the text")
            source = Source(self.model, adopt=self.adopt)
            if not agrees(self.model, source.network):
                raise UnknownNetworkError("its logits are not those of the engine")
            return FastEngine(source, **self.options)
        except UnknownNetworkError as error:
            reason = str(error)
        except torch.OutOfMemoryError:
            reason = "there is not enough memory for its copies of the weights"
        if self.engine == "fast":
            raise ConfigError(
                f"the fast engine cannot sample from this model: {reason}",
                remedy="Take engine=auto or engine=plain.",
            )
        log.info("sampling without the fast engine: %s", reason)
        return None
