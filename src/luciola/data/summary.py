"""What a data set holds, before any tokenizer sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from luciola.types import Completion, Conversation, Example, Origin, Text

NOUNS = {Conversation: "conversation", Completion: "completion", Text: "text"}
NOWHERE = Origin()


def summary(examples: Sequence[Example]) -> str:
    """A few lines for people: kinds of examples, turns by role, repeated examples."""
    kinds = Counter(NOUNS[type(example)] for example in examples)
    lines = [", ".join(counted(count, name) for name, count in kinds.items())]
    conversations = [e for e in examples if isinstance(e, Conversation)]
    if conversations:
        roles = Counter(m.role for e in conversations for m in e.messages)
        lines.append("turns: " + ", ".join(f"{count:,} {role}" for role, count in roles.items()))
    repeated = len(examples) - len({replace(example, origin=NOWHERE) for example in examples})
    if repeated:
        lines.append(f"{repeated:,} repeat an earlier one word for word")
    return "\n".join(lines)


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 row, 2 rows, 1,000 rows."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
