"""A language model on this machine that answers any prompts, as a server would.

Prompts of like lengths are answered together, as many as the device's memory holds. An answer
depends on its prompt, the settings and the seed alone, never on what it was asked together with
(in float32; bf16 rounds differently in different batches).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from luciola.conversation.render import Renderer
from luciola.errors import ModelError
from luciola.models.answering import best_device, load_for_answers
from luciola.models.load import load_tokenizer
from luciola.models.source import resolve, version_of
from luciola.rollout.batch import context_length
from luciola.rollout.engine.building import build
from luciola.rollout.text import read
from luciola.seeds import seed
from luciola.specialist.expertise import Expertise
from luciola.specialist.written import OUT_OF_MEMORY, is_out_of_memory
from luciola.sql.asking.cache import AnswerCache, Kept, address, in_order
from luciola.sql.asking.model import Answers, Progress, Sampling
from luciola.types import Message, Request
from luciola.types import Sampling as TokenSampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROWS = {"cpu": 64, "cuda": 256}
"""Answers under way at a time, at most."""
CPU_TOKENS = 1 << 15
"""Of all prompts and answers under way."""
MEMORY_SHARE = 0.4
"""Of the free memory of a GPU, for keys and values; attention needs some as well."""


def check_template(tokenizer: PreTrainedTokenizerBase, model: str) -> None:
    """Raises: ModelError where a model has no chat template, and so cannot be asked in a chat."""
    if not tokenizer.chat_template:
        raise ModelError(
            f"{model} has no chat template, so it cannot be asked as a chat model",
            remedy="Let it go on from the prompts as they stand: --raw, in a study raw: true.",
        )


class LocalModel:
    """A model on this machine; `luciola.sql.asking.model.LanguageModel`.

    Args:
        model: bundled name, folder, GGUF file or hub id.
        device: "auto", "cpu" or "cuda".
        adapter: folder of an adapter to put on it.
        raw: go on from the prompt as it stands; else it is a user's message in the model's chat
            template, also where it ends in `SELECT `. None: as the model was trained by
            `luciola sql train`; a chat where it was not. Where it learned to write the blank that
            a prompt ends in, it is asked without that.
        batch: answers under way at a time; None: as many as the device holds.
        cache: file in which answers are kept; what is there is not computed again.
        trust_remote_code: run Python code that comes with the model.

    Raises: ModelError if the model cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: str = "auto",
        adapter: str | Path | None = None,
        raw: bool | None = None,
        batch: int | None = None,
        cache: Path | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.name = f"{model} with {adapter}" if adapter else str(model)
        self.expertise = Expertise.load(str(adapter or model))
        self.raw = self.expertise.goes_on if raw is None else raw
        self.cache = AnswerCache(cache) if cache else None
        form = f"raw={self.raw}" + " stripped" * self.expertise.strip_suffix
        self._place = " ".join([version_of(model), version_of(adapter) if adapter else "", form])
        place, trusted = best_device(device), trust_remote_code
        folder = resolve(adapter).path if adapter else None
        own = folder is not None and any(folder.glob("tokenizer*"))  # it may know new tokens
        spelt = folder if own and folder else model
        self.tokenizer = load_tokenizer(spelt, trust_remote_code=trusted)
        self.renderer = Renderer(self.tokenizer)
        loaded: Any = load_for_answers(str(model), place, adapter=folder, trust_remote_code=trusted)
        self.context = context_length(loaded)
        self.rows = batch or ROWS[place.type]
        self.tokens = _tokens_that_fit(loaded, place)
        ends = set(self.renderer.end_ids())
        self.sampler = build(
            loaded, adopt=True, end_ids=ends, tokenizer=self.tokenizer, batch=self.rows
        )

    def answer(
        self, prompts: Sequence[str], sampling: Sampling, progress: Progress | None = None
    ) -> list[Answers]:
        """One `Answers` for each prompt, in order; equal prompts are answered once."""
        found: dict[str, Answers] = {}
        asked: dict[str, list[int]] = {}
        for prompt in dict.fromkeys(prompts):
            if kept := self._kept(prompt, sampling):
                found[prompt] = kept
            else:
                asked[prompt] = self._ids(prompt)
                if error := self._too_long(asked[prompt], sampling):
                    found[prompt] = Answers((), len(asked.pop(prompt)), 0, error=error)
        for chunk in [[], *self._chunks(asked, sampling)]:
            found |= self._answered(chunk, asked, sampling) if chunk else {}
            if progress is not None:
                progress(sum(prompt in found for prompt in prompts), len(prompts))
        return in_order(prompts, found)

    def _ids(self, prompt: str) -> list[int]:
        text = self.expertise.stripped(prompt)
        if self.raw:
            return self.renderer.text_prompt_ids(text)
        check_template(self.tokenizer, self.name)
        return self.renderer.prompt_ids([Message("user", text)])

    def _too_long(self, ids: Sequence[int], sampling: Sampling) -> str:
        """Why a prompt cannot be answered; "" where it can."""
        if self.context is None or len(ids) + sampling.max_tokens <= self.context:
            return ""
        return (
            f"the prompt is too long: {len(ids)} tokens and {sampling.max_tokens} of the answer, "
            f"and the model sees {self.context}"
        )

    def _chunks(
        self, asked: Mapping[str, Sequence[int]], sampling: Sampling
    ) -> Iterator[list[str]]:
        """Prompts to answer together, the longest first: if one does not fit, that shows at once.

        A row may be padded to twice the longest prompt, see `rollout.batch`.
        """
        chunk: list[str] = []
        slots = 0
        for prompt in sorted(asked, key=lambda prompt: len(asked[prompt]), reverse=True):
            slots = slots or 2 * len(asked[prompt]) + sampling.max_tokens
            rows = (len(chunk) + 1) * sampling.answers
            if chunk and (rows > self.rows or rows * slots > self.tokens):
                yield chunk
                chunk, slots = [], 2 * len(asked[prompt]) + sampling.max_tokens
            chunk.append(prompt)
        if chunk:
            yield chunk

    def _answered(
        self, chunk: Sequence[str], asked: Mapping[str, Sequence[int]], sampling: Sampling
    ) -> dict[str, Answers]:
        """The answers to some prompts; in halves where memory runs out."""
        try:
            return self._sampled(chunk, asked, sampling)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        if len(chunk) == 1:
            return {chunk[0]: Answers((), len(asked[chunk[0]]), 0, error=OUT_OF_MEMORY)}
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        half = len(chunk) // 2
        first = self._answered(chunk[:half], asked, sampling)
        return first | self._answered(chunk[half:], asked, sampling)

    def _sampled(
        self, chunk: Sequence[str], asked: Mapping[str, Sequence[int]], sampling: Sampling
    ) -> dict[str, Answers]:
        settings = TokenSampling(
            max_new_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
        )
        requests = [
            Request(
                asked[prompt],
                n=sampling.answers,
                sampling=settings,
                seed=seed("prompt", sampling.seed, prompt),
                stop=sampling.stop,
            )
            for prompt in chunk
        ]
        texts: list[list[str]] = [[] for _ in chunk]
        cut: list[list[int]] = [[] for _ in chunk]
        tokens = [0] * len(chunk)
        for sample in self.sampler.sample(requests):
            if sample.finish == "length":
                cut[sample.request].append(len(texts[sample.request]))
            texts[sample.request].append(read(sample, self.tokenizer, sampling.stop).text)
            tokens[sample.request] += len(sample.ids)
        answers = {}
        for prompt, written, number, ends in zip(chunk, texts, tokens, cut, strict=True):
            kept = Kept(tuple(written), len(asked[prompt]), number, cut=tuple(ends))
            self._keep(prompt, sampling, kept)
            answers[prompt] = kept.answers(cached=False)
        return answers

    def _kept(self, prompt: str, sampling: Sampling) -> Answers | None:
        """Answers from an earlier time; None where there are too few."""
        key = address(self._place, prompt, sampling)
        kept = self.cache.find(key) if self.cache is not None else None
        enough = kept is not None and len(kept.texts) >= sampling.answers
        return kept.first(sampling.answers).answers(cached=True) if kept and enough else None

    def _keep(self, prompt: str, sampling: Sampling, kept: Kept) -> None:
        """Keep what is not there yet: the first answers are the same, however many are drawn."""
        if self.cache is None:
            return
        key = address(self._place, prompt, sampling)
        self.cache.keep(key, kept, start=0)


def _tokens_that_fit(model: Any, device: torch.device) -> int:
    """Tokens whose keys and values the device holds at once."""
    if device.type == "cpu":
        return CPU_TOKENS
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token_bytes = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    return int(torch.cuda.mem_get_info(device)[0] * MEMORY_SHARE / token_bytes)
