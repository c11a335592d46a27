"""Augmented examples as a source of training: another variant of each in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luciola.conversation.render import Renderer, truncate
from luciola.seeds import seed
from luciola.specialist.augment.augmenter import Pool, augment, plain
from luciola.specialist.augment.example import Prepared
from luciola.specialist.augment.render import Rendered
from luciola.types import Conversation, Message, Origin, Tokens

ATTEMPTS = 4
"""Variants tried until one fits; borrowed tables make some of them longer."""


@dataclass(frozen=True)
class Augmented:
    """Examples that change with the epoch; see `methods.stream.Source`.

    Args:
        examples: prepared once.
        origins: where each came from.
        pool: what is borrowed from other databases.
        renderer: of the model's chat template.
        max_length: tokens of the longest variant; one that is longer teaches nothing.
        run_seed: the variants follow from it.
        varied: False: every example as it is.
    """

    examples: Sequence[Prepared]
    origins: Sequence[Origin]
    pool: Pool
    renderer: Renderer
    max_length: int
    run_seed: int
    varied: bool = True

    def __len__(self) -> int:
        return len(self.examples)

    def tokens(self, index: int, epoch: int) -> Tokens:
        """The variant of example `index` in `epoch`, the same whenever it is asked for."""
        for attempt in range(ATTEMPTS):
            address = seed(self.run_seed, "augment", epoch, index, attempt)
            tokens = self._encoded(index, self._variant(index, address))
            if len(tokens) <= self.max_length:
                return tokens
        cut, _ = truncate(tokens, self.max_length)
        return Tokens(cut.ids, np.zeros_like(cut.trained), cut.origin)

    def plain_length(self, index: int) -> int:
        """Tokens of an example as it is."""
        return len(self._encoded(index, plain(self.examples[index])))

    def _variant(self, index: int, address: int) -> Rendered:
        if self.varied:
            return augment(self.examples[index], address, self.pool)
        return plain(self.examples[index])

    def _encoded(self, index: int, written: Rendered) -> Tokens:
        turns = (
            Message("system", written.system),
            Message("user", written.user),
            Message("assistant", written.assistant),
        )
        return self.renderer.render(Conversation(turns, self.origins[index]))
