"""What a data set is made of, in tokens: what would be trained, how long, how much is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luciola.data.cutting import cut_text
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.types import Tokens


@dataclass(frozen=True)
class Statistics:
    """Figures of a list of examples; lengths in tokens, before cutting, all other counts after it.

    `untrained` counts examples of which nothing trained is left; `shared` the tokens that examples
    have in common with an earlier one, by their `prefix`.
    """

    examples: int
    tokens: int
    trained: int
    shared: int
    shortest: int
    median: int
    p95: int
    longest: int
    truncated: int
    untrained: int
    max_length: int = 0

    def text(self, *, in_trees: bool = True) -> str:
        """A few lines for people; `in_trees`: rows are trees, which compute prefixes once."""
        share = 100 * self.trained / max(1, self.tokens)
        lines = [
            f"{counted(self.examples, 'example')}, {self.tokens:,} tokens, "
            f"{self.trained:,} of them trained ({share:.0f} %)",
            f"length in tokens: {self.shortest:,} to {self.longest:,}, median {self.median:,}, "
            f"95 % up to {self.p95:,}",
        ]
        if self.shared and in_trees:
            share = 100 * self.shared / max(1, self.tokens)
            lines.append(
                f"prefixes computed once in a tree: {self.shared:,} tokens less ({share:.0f} %)"
            )
        if self.truncated:
            lines.append(
                cut_text(
                    self.truncated, self.examples, "example", left_out=False, limit=self.max_length
                )
            )
        if self.untrained:
            lines.append(f"no trained token left: {counted(self.untrained, 'example')}")
        return "\n".join(lines)


def statistics(samples: Sequence[Tokens], max_length: int = 0) -> Statistics:
    """Figures of whole examples, as rendered; `max_length`: tokens kept of each (0: all).

    Raises: DataError if there are no examples.
    """
    if not samples:
        raise DataError("there are no examples to count")
    lengths = np.array([len(sample) for sample in samples])
    limit = max_length or int(lengths.max())
    trained = np.array([np.count_nonzero(sample.trained[:limit]) for sample in samples])
    return Statistics(
        examples=len(samples),
        tokens=int(np.minimum(lengths, limit).sum()),
        trained=int(trained.sum()),
        shared=_shared(samples, limit),
        shortest=int(lengths.min()),
        median=round(float(np.median(lengths))),
        p95=round(float(np.percentile(lengths, 95))),
        longest=int(lengths.max()),
        truncated=int(np.count_nonzero(lengths > limit)),
        untrained=int(np.count_nonzero(trained == 0)),
        max_length=max_length,
    )


def _shared(samples: Sequence[Tokens], limit: int) -> int:
    """Tokens of prefixes that an earlier example has too."""
    seen: set[bytes] = set()
    shared = 0
    for sample in samples:
        prefix = min(sample.prefix, limit)
        key = sample.ids[:prefix].tobytes()
        shared += prefix if key in seen else 0
        seen.add(key)
    return shared
