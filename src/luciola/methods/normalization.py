"""Gain and bias that give a policy's answers scores of mean 0 and variance 1.

Source: Stiennon et al. 2020, https://arxiv.org/abs/2009.01325, and Ouyang et al. 2022, section 3.5,
subtract a bias; the variance as well, as Ziegler et al. 2019, section 2.1,
https://arxiv.org/abs/1909.08593.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from luciola.config.preference import RewardConfig
from luciola.conversation.answers import AnswerRenderer, Lengths, Prompt
from luciola.conversation.render import Renderer
from luciola.data.order import permutation
from luciola.data.readers import read
from luciola.errors import DataError
from luciola.methods.comparisons import Comparisons
from luciola.models.load import end_ids, load_model
from luciola.seeds import seed
from luciola.types import Completion, Conversation, Example, Message, Request, Sampling, Tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

ANSWERS, POLICY = "answers", "policy"


def normalizing_samples(
    config: RewardConfig,
    data: Comparisons,
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
) -> list[Tokens]:
    """The answers whose scores shall have mean 0 and variance 1; the same in every process.

    Raises: DataError if `normalize_on` is a file that holds no answers.
    """
    training = data.all[: data.num_training]
    order = permutation(len(training), config.seed, "normalize").tolist()
    if config.normalize_on == ANSWERS:
        answers = [answer for i in order for answer in training[i].answers]
        return answers[: config.normalize_samples]
    if config.normalize_on == POLICY:
        prompts = [training[i].answers[0] for i in order[: config.normalize_samples]]
        return _sampled(config, prompts, tokenizer, device)
    examples = read(config.normalize_on).examples[: config.normalize_samples]
    lengths = Lengths(config.max_length, config.kept_prompt)
    render = AnswerRenderer(Renderer(tokenizer, system=config.system), lengths, closed=True)
    return [_of_file(example, render, as_chat=data.is_chat) for example in examples]


def _of_file(example: Example, render: AnswerRenderer, *, as_chat: bool) -> Tokens:
    """The last answer of an example, behind all that comes before it."""
    if isinstance(example, Completion):
        prompt: Prompt = (Message("user", example.prompt),) if as_chat else example.prompt
        return render(prompt, [example.completion], example.origin)[0]
    if isinstance(example, Conversation):
        *history, last = example.messages
        if last.role == "assistant" and history:
            return render(tuple(history), [last.content], example.origin)[0]
    raise DataError(
        "normalize_on needs examples that end with an answer",
        path=example.origin.path,
        line=example.origin.line or None,
        remedy="Give chats that end with the assistant, or prompts with completions.",
    )


def _sampled(
    config: RewardConfig,
    examples: Sequence[Tokens],
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
) -> list[Tokens]:
    """Answers of the model that the run began with, at temperature 1, to the examples' prompts."""
    import numpy as np
    import torch

    from luciola.rollout.naive import NaiveSampler

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = load_model(
        config.model, dtype=dtype, device=device, trust_remote_code=config.trust_remote_code
    )
    ends = end_ids(tokenizer, model)
    longest = max(1, min(config.normalize_tokens, config.max_length - config.kept_prompt))
    sampling = Sampling(max_new_tokens=longest, temperature=1.0)
    prompts = [
        e.ids[: e.prefix][-(config.max_length - longest) :].tolist() or list(ends[:1])
        for e in examples
    ]
    requests = [
        Request(prompt, sampling=sampling, seed=seed(config.seed, "normalize", i))
        for i, prompt in enumerate(prompts)
    ]
    found = NaiveSampler(model, end_ids=ends, tokenizer=tokenizer).sample(requests)
    log.info("sampled %d answers to normalise the scores on", len(found))
    made = []
    for sample in found:
        prompt, answer = prompts[sample.request], list(sample.ids)
        closed = answer if answer and answer[-1] in ends else [*answer[: longest - 1], *ends[:1]]
        ids = np.array([*prompt, *closed], np.int32)
        trained = np.arange(len(ids)) >= len(prompt)
        made.append(Tokens(ids, trained, examples[sample.request].origin, len(prompt)))
    return made


def gain_and_bias(scores: Sequence[float]) -> tuple[float, float]:
    """Gain and bias after which `scores` have mean 0 and variance 1.

    Scores that are all the same cannot be scaled: their gain is 1, with a notice.
    """
    mean = math.fsum(scores) / len(scores)
    variance = math.fsum((s - mean) ** 2 for s in scores) / len(scores)
    if variance <= 1e-12 * max(1.0, mean * mean):
        log.warning("the reward model gives every answer the score %.4g: not scaled", mean)
        return 1.0, -mean
    gain = 1 / math.sqrt(variance)
    return gain, -gain * mean
