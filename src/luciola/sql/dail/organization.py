"""How examples stand before a question, and how many of them the model's context holds.

    prompt = prefix + examples and target, parted by empty lines

Source: Gao et al. 2023, section 3.3, https://arxiv.org/abs/2308.15363. In the published code the
count of tokens is always 0, so that nothing is ever left out; without `budget` this is reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType

from luciola.sql.dail.facts import SchemaFacts
from luciola.sql.dail.naming import by_name
from luciola.sql.dail.representation import Representation

SIMILAR = "/* Some SQL examples are provided based on similar problems: */\n"
PAIRS = (
    "### Some example pairs of question and corresponding SQL query are provided based on similar "
    "problems:\n\n"
)


@dataclass(frozen=True)
class Organization:
    """A prefix and the form of one example; {full} is the representation with the own schema."""

    prefix: str
    example: str


ORGANIZATIONS = MappingProxyType(
    {
        "COMPLETE": Organization("", "{full}\n{query}"),
        "ONLYSQL": Organization(SIMILAR, "{query}"),
        "QA": Organization(SIMILAR, "/* Answer the following: {question} */\n{query}"),
        "QAWRULE": Organization(
            SIMILAR, "/* Answer the following with no explanation: {question} */\n{query}"
        ),
        "NUMBERSIGNQA": Organization(PAIRS, "### {question}\n{query}"),
        "BASELINEQA": Organization("", "Example Q: {question}\nExample A: {query}"),
    }
)
PAPER_NAMES = MappingProxyType({"FI_O": "COMPLETE", "SO_O": "ONLYSQL", "DAIL_O": "QA"})


@dataclass(frozen=True)
class Example:
    """A question with its SQL, both shown to the byte."""

    db_id: str
    question: str
    query: str


@dataclass(frozen=True)
class Budget:
    """What a prompt and its answer may take, in tokens as `count` counts them."""

    count: Callable[[str], int]
    context: int = 2048
    answer: int = 200

    def holds(self, prompt: str) -> bool:
        return self.count(prompt) + self.answer <= self.context


@dataclass(frozen=True)
class Prompt:
    """A prompt, and the examples that it shows, in order."""

    text: str
    examples: tuple[Example, ...] = ()


def organization(name: str) -> Organization:
    """The organisation of that name: the paper's (`DAIL_O`) or the published code's (`QA`)."""
    return by_name("organization", name, ORGANIZATIONS, PAPER_NAMES)


def assemble(
    target: str,
    candidates: Iterable[Example],
    write: Callable[[Example], str],
    *,
    prefix: str = "",
    shots: int,
    budget: Budget | None = None,
) -> Prompt:
    """The prompt with the first `shots` of the candidates that fit.

    A candidate too long is passed over and the next is tried. The target itself is always shown,
    even where it alone is beyond the budget; with no examples the prefix is left out.
    Args:
        target: the prompt of the question itself, with its suffix.
        candidates: in order of preference, best first; may be more than `shots`.
        write: how one example is shown.
    """
    kept: list[Example] = []
    texts: list[str] = []
    for candidate in candidates:
        if len(kept) == shots:
            break
        text = write(candidate)
        if budget is None or budget.holds(_join(prefix, [*texts, text], target)):
            kept.append(candidate)
            texts.append(text)
    return Prompt(_join(prefix, texts, target), tuple(kept))


def few_shot(
    chosen: Representation,
    way: Organization,
    question: str,
    facts: Callable[[str], SchemaFacts],
    db_id: str,
    candidates: Iterable[Example],
    *,
    shots: int,
    budget: Budget | None = None,
) -> Prompt:
    """The few-shot prompt of a question on `db_id`; `facts` gives the schema of a database."""

    def write(example: Example) -> str:
        full = "{full}" in way.example
        return way.example.format(
            full=chosen.question(facts(example.db_id), example.question) if full else "",
            question=example.question,
            query=example.query,
        )

    target = chosen.prompt(facts(db_id), question)
    return assemble(target, candidates, write, prefix=way.prefix, shots=shots, budget=budget)


def _join(prefix: str, examples: list[str], target: str) -> str:
    return (prefix if examples else "") + "\n\n".join([*examples, target])
