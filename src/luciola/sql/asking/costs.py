"""What answers cost: requests, tokens and money, summed over a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from luciola.sql.asking.model import Answers

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, in whatever currency the server's owner writes.

    Args:
        prompt: per million tokens read.
        answer: per million tokens written.
    """

    prompt: float
    answer: float

    def of(self, answers: Answers) -> float:
        """What was paid for these now; nothing for what was kept."""
        if answers.cached:
            return 0.0
        read = answers.requests * answers.prompt_tokens * self.prompt
        return (read + answers.answer_tokens * self.answer) / MILLION


@dataclass(frozen=True)
class Costs:
    """Totals; they can be added.

    Args:
        prompts: answered, failed and kept ones together.
        cached: prompts whose answers were kept from an earlier time.
        failed: prompts without any answer.
        uncounted: prompts for which the server did not say its tokens, which count as 0.
        requests: sent to the model now.
        prompt_tokens: read now, those of a prompt that was sent twice counted twice.
        answer_tokens: written now.
        money: paid now; 0 without prices.
        cut: answers that ended only because all their tokens were written, kept ones included.
    """

    prompts: int = 0
    cached: int = 0
    failed: int = 0
    uncounted: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    money: float = 0.0
    cut: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Costs)))

    def __str__(self) -> str:
        words = [f"{self.prompts:,} prompts"]
        words += [f"{self.cached:,} kept from before"] if self.cached else []
        words += [f"{self.prompt_tokens:,} tokens read, {self.answer_tokens:,} written"]
        words += (
            [f"cost {self.money:{'.4f' if self.money >= 0.01 else '.2g'}}"] if self.money else []
        )
        words += [f"{self.uncounted:,} without a count of tokens"] if self.uncounted else []
        return ", ".join(words)


def costs_of(answers: Iterable[Answers], prices: Prices | None = None) -> Costs:
    """The totals over some prompts' answers."""
    total = Costs()
    for one in answers:
        now = 0 if one.cached else one.requests
        total += Costs(
            prompts=1,
            cached=int(one.cached),
            failed=int(not one.texts),
            uncounted=int(not one.counted),
            requests=now,
            prompt_tokens=now * one.prompt_tokens,
            answer_tokens=0 if one.cached else one.answer_tokens,
            money=prices.of(one) if prices else 0.0,
            cut=len(one.cut),
        )
    return total
