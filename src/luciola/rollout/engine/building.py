"""The sampler for a model: the fast engine where it knows the model, else the plain one."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch

from luciola.errors import ConfigError
from luciola.models.quantization import is_quantised
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

QUANTISED_SHARE = 1 / 16
"""Of a GPU's memory that a copy of weights in few bits may take."""

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
    keep_cache: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> ChosenSampler:
    """A sampler for `model` where it lies.

    Args:
        model: a causal language model, with or without an adapter.
        engine: "auto": on a GPU the fast engine where it knows the model, with a notice where it
            does not; on a CPU, where both take the same time, the plain one. "fast": an error
            where it does not know the model; "plain": the reference sampler.
        adopt: the model's parameters may become views of the engine's, so that nothing is in
            memory twice; for a model that nobody trains or saves.
        end_ids, tokenizer, batch, stride, progress: as of `NaiveSampler`.
        keep_cache: as of `FastEngine`.
    """
    options: dict[str, Any] = {
        "end_ids": end_ids, "tokenizer": tokenizer, "batch": batch, "stride": stride,
    }  # fmt: skip
    return ChosenSampler(model, engine, adopt, options, keep_cache, progress)


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
        keep_cache: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.model, self.engine, self.adopt = model, engine, adopt
        self.options, self.keep_cache = options, keep_cache
        self.progress = progress
        self.version = 0
        self._chosen: FastEngine | NaiveSampler | None = None

    @property
    def batch(self) -> int:
        """Answers under way at a time, at most."""
        if self._chosen is not None:
            return self._chosen.batch
        embeddings: Any = self.model.get_input_embeddings()
        device = embeddings.weight.device
        return self.options["batch"] or (64 if device.type == "cpu" else 256)

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
        embeddings: Any = self.model.get_input_embeddings()
        device: torch.device = embeddings.weight.device
        if self.engine == "plain" or (self.engine == "auto" and device.type == "cpu"):
            return None
        reason = ""
        try:
            if has_virtual_tokens(self.model):
                raise UnknownNetworkError("its adapter stands before the text")
            if self.engine == "auto":
                check_room(self.model, device)
            source = Source(self.model, adopt=self.adopt)
            if not agrees(self.model, source.network):
                raise UnknownNetworkError("its logits are not those of the engine")
            return FastEngine(source, keep_cache=self.keep_cache, **self.options)
        except UnknownNetworkError as error:
            reason = str(error)
        except torch.OutOfMemoryError:
            reason = "there is not enough memory for its copies of the weights"
        except Exception as error:
            if not type(error).__module__.startswith("triton"):
                raise
            first = str(error).strip().partition("\n")[0]
            reason = f"its kernels cannot be built here ({type(error).__name__}: {first})"
        if self.engine == "fast":
            raise ConfigError(
                f"the fast engine cannot sample from this model: {reason}",
                remedy="Take engine=auto or engine=plain.",
            )
        log.info("sampling without the fast engine: %s", reason)
        return None


def check_room(model: Any, device: torch.device) -> None:
    """Raises: UnknownNetworkError where weights in few bits, which the engine needs in 16, would
    take memory that training counts on.
    """
    if not is_quantised(model) or device.type != "cuda":
        return
    size = 2 * sum(
        math.prod(getattr(getattr(p, "quant_state", None), "shape", p.shape))
        for p in model.parameters()
    )
    if size > QUANTISED_SHARE * torch.cuda.get_device_properties(device).total_memory:
        raise UnknownNetworkError(f"its weights would take another {size / 2**30:.1f} GiB")
