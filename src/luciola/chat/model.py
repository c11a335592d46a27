"""A model that answers conversations, with the settings of a chat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luciola.chat.reply import Reply, Tell
from luciola.chat.settings import ChatSettings, seed_of
from luciola.chat.streaming import TextStream
from luciola.chat.window import fit
from luciola.conversation.render import Renderer
from luciola.errors import ConfigError, LuciolaError
from luciola.models.load import end_ids
from luciola.rollout.batch import context_length
from luciola.rollout.beam import Beams
from luciola.rollout.cache import Prefix, PrefixCache
from luciola.rollout.contrastive import Contrastive
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.searching import SearchSampler, Strategy
from luciola.rollout.steering import Advantage
from luciola.rollout.text import read
from luciola.types import Message, Request, Sampler

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from luciola.models.q_heads import QHeads


class ChatModel:
    """Answers conversations.

    Args:
        model: on its device.
        tokenizer: of the model.
        template: Jinja file in the place of the tokenizer's chat template.
        plain: continue texts; no chat template, no memory of the turns before.
        heads: of a model that was trained with ILQL.
        system: for conversations without a system message; what the model was trained with.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        template: str = "",
        plain: bool = False,
        heads: QHeads | None = None,
        system: str = "",
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.plain = plain
        self.heads = heads
        self.renderer = Renderer(tokenizer, template=template, system=system)
        self.end_ids = {*self.renderer.end_ids(), *end_ids(tokenizer, model)}
        self.context = context_length(model)
        self.prefixes: PrefixCache[Prefix] = PrefixCache()

    def check(self, settings: ChatSettings) -> None:
        """Raises: ConfigError for settings that this model has no use for."""
        if settings.beta and self.heads is None:
            raise ConfigError(
                f"beta={settings.beta:g} needs a model that was trained with ILQL, which has heads "
                "for Q and V",
                remedy="Leave beta out, or train one: luciola train ilql.",
            )

    def answer(
        self,
        messages: Sequence[Message],
        settings: ChatSettings,
        *,
        seed: int = 0,
        tell: Tell | None = None,
    ) -> Reply:
        """One answer; Ctrl-C ends it with what there is.

        Args:
            messages: the conversation, which ends with the user.
            seed: of the answer's noise.
            tell: called with each new piece of the text.

        Raises: LuciolaError for what does not fit into the context, or settings out of place.
        """
        began = time.perf_counter()
        ids, left_out = fit(messages, self._encode, self.context, settings.max_new_tokens)
        stream = TextStream(self.tokenizer, settings.stop, tell)
        times: list[float] = []

        def watch(_: int, new: Sequence[int]) -> None:
            times.append(time.perf_counter() - began)
            stream.take(new)

        sampler = self._sampler(settings, watch=watch)
        request = Request(ids, sampling=settings.sampling, seed=seed, stop=settings.stop)
        try:
            sample = sampler.sample([request])[0]
        except KeyboardInterrupt:
            seconds = time.perf_counter() - began
            first = times[0] if times else 0.0
            return Reply(stream.told, stream.count, "interrupted", seconds, first, left_out)
        found = read(sample, self.tokenizer, settings.stop)
        stream.finish(found.text)
        first = times[0] if len(times) > 1 else 0.0
        seconds = time.perf_counter() - began
        return Reply(found.text, found.tokens, found.finish, seconds, first, left_out)

    def answer_all(
        self, conversations: Sequence[Sequence[Message]], settings: ChatSettings, *, first: int = 0
    ) -> list[Reply]:
        """An answer to each conversation, computed together; what does not fit is a failed reply.

        Args:
            first: number of the first conversation, from which its seed follows.
        """
        fitted: dict[int, tuple[list[int], int]] = {}
        replies: dict[int, Reply] = {}
        for index, messages in enumerate(conversations):
            try:
                fitted[index] = fit(messages, self._encode, self.context, settings.max_new_tokens)
            except LuciolaError as error:
                replies[index] = Reply("", 0, "failed", error=error.message)
        requests = [
            Request(ids, 1, settings.sampling, seed_of(settings, first + index), settings.stop)
            for index, (ids, _) in fitted.items()
        ]
        began = time.perf_counter()
        samples = self._sampler(settings).sample(requests) if requests else []
        seconds = time.perf_counter() - began
        for (index, (_, left_out)), sample in zip(fitted.items(), samples, strict=True):
            found = read(sample, self.tokenizer, settings.stop)
            replies[index] = Reply(
                found.text, found.tokens, found.finish, seconds, left_out=left_out
            )
        return [replies[index] for index in range(len(conversations))]

    def _encode(self, messages: Sequence[Message]) -> list[int]:
        if self.plain:
            return self.renderer.text_prompt_ids(messages[-1].content)
        return self.renderer.prompt_ids(messages)

    def _sampler(self, settings: ChatSettings, watch: Any = None) -> Sampler:
        self.check(settings)
        steering = None if self.heads is None else Advantage(self.heads, settings.beta)
        shared: dict[str, Any] = {
            "end_ids": self.end_ids,
            "tokenizer": self.tokenizer,
            "steering": steering,
            "watch": watch,
        }
        search = search_of(settings)
        if search is not None:
            return SearchSampler(self.model, search, **shared)
        stride = 1 if watch else None  # each token is heard at once
        return NaiveSampler(self.model, stride=stride, prefixes=self.prefixes, **shared)


def search_of(settings: ChatSettings) -> Strategy | None:
    """The search that the settings ask for; None: sampling or greedy answers."""
    if settings.beams > 1:
        return Beams(settings.beams, settings.length_penalty)
    if settings.contrastive_alpha > 0:
        return Contrastive(settings.contrastive_alpha, settings.contrastive_k)
    return None
