"""Training and held-out rows of one data set, by address, with equal prompts on one side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from luciola.data.order import address_hash
from luciola.errors import ConfigError, DataError
from luciola.types import Completion, Conversation, Example


def split(
    examples: Sequence[Example], fraction: float, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training rows and of the held-out rows, each ascending.

    Rows with the same prompt are one group, or a held-out answer would have been trained on under
    the same question. Groups are held out in the order of hash(seed, prompt), until the share is
    reached.

    Args:
        fraction: share of the rows that is held out, 0 to 0.5; above 0 at least one group is.

    Raises:
        ConfigError: `fraction` is out of range.
        DataError: all rows have the same prompt.
    """
    if not 0 <= fraction <= 0.5:
        raise ConfigError(f"eval_fraction must be 0 to 0.5, got {fraction}")
    if not fraction:
        return np.arange(len(examples), dtype=np.int64), np.zeros(0, np.int64)
    groups = defaultdict(list)
    for index, example in enumerate(examples):
        groups[prompt_key(example)].append(index)
    if len(groups) < 2:
        raise DataError(
            f"nothing can be held out: the {len(examples)} rows share {len(groups)} prompt",
            remedy="Set eval_fraction=0, or name a file with eval_data=FILE.",
        )
    held_out = _held_out(groups, max(1, round(fraction * len(examples))), seed)
    mask = np.zeros(len(examples), dtype=np.bool_)
    mask[held_out] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def prompt_key(example: Example) -> str:
    """What makes two prompts the same: all up to the first answer, but for case and white space."""
    if isinstance(example, Conversation):
        prompt = []
        for message in example.messages:
            if message.role == "assistant":
                break
            prompt.append(f"{message.role}: {message.content}")
        text = "\n".join(prompt)
    else:
        text = example.prompt if isinstance(example, Completion) else example.text
    return " ".join(text.casefold().split())


def _held_out(groups: dict[str, list[int]], count: int, seed: int) -> list[int]:
    """Rows of whole groups, about `count`; a group that overshoots more than it helps is left."""
    chosen: list[int] = []
    order = sorted(groups, key=lambda prompt: (address_hash(seed, "split", prompt), prompt))
    for prompt in order:
        rows = groups[prompt]
        if not chosen or len(chosen) + len(rows) / 2 <= count:
            chosen += rows
        if len(chosen) >= count:
            break
    return chosen
