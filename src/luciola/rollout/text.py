"""Answers as text: the sampler's tokens decoded, without end tokens and stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transformers import PreTrainedTokenizerBase

from luciola.types import Request, Sample, Sampler, Sampling


@dataclass(frozen=True)
class Answer:
    """One answer to one prompt.

    Args:
        text: what it says.
        tokens: how many tokens it took, the end token included.
        finish: why it ended; "length" means that it was cut off.
        logprob: of the whole answer, in nats: a measure of how sure the model was.
    """

    text: str
    tokens: int
    finish: Literal["end", "stop", "length", "refused"]
    logprob: float


def answer(
    sampler: Sampler,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    stop: tuple[str, ...] = (),
    seed: int = 0,
) -> list[Answer]:
    """Answer each prompt once, in order."""
    requests = [Request(prompt, sampling=sampling, seed=seed, stop=stop) for prompt in prompts]
    return [read(sample, tokenizer, stop) for sample in sampler.sample(requests)]


def read(sample: Sample, tokenizer: PreTrainedTokenizerBase, stop: tuple[str, ...] = ()) -> Answer:
    """A sample's text, cut before the first stop string."""
    text = str(tokenizer.decode(list(sample.ids), skip_special_tokens=True))
    if sample.finish == "stop":
        cuts = [at for at in (text.find(one) for one in stop) if at >= 0]
        text = text[: min(cuts)] if cuts else text
    return Answer(text, len(sample.ids), sample.finish, float(sum(sample.logprobs)))
