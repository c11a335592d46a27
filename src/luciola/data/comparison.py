"""One row that compares answers, in any of the shapes that people keep them in.

Chosen and rejected as texts, turns or whole conversations (TRL, Firefly, LLaMA-Factory), a list of
outputs, best first (LLaMA-Factory), and preferred_output (OpenAI). What the answers have in common
at their beginning is the prompt where the row names none. Left out: single answers with a label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from luciola.data.readers import alpaca, sharegpt
from luciola.data.readers.messages import parse_messages, text_of
from luciola.data.readers.record import Record, is_objects, keys, kind
from luciola.errors import DataError
from luciola.types import Message, Preference

ROLE_KEYS = (("role", "content"), ("from", "value"))


@dataclass(frozen=True)
class Shape:
    """One way to write a comparison: its name, what a row looks like, whom it fits, how to read
    it.
    """

    name: str
    example: str
    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Record], Preference]


def read_comparison(record: Record) -> tuple[Preference, str]:
    """A row as a preference, and the name of its shape.

    Raises: DataError naming file and line, if it compares nothing or a field cannot be used.
    """
    for shape in SHAPES:
        if shape.fits(record.values):
            found = shape.read(record)
            return replace(found, margin=_margin(record)), shape.name
    shapes = "\n".join(f"      {shape.name:16} {shape.example}" for shape in SHAPES)
    judged = "label" in record.values and "completion" in record.values
    raise record.error(
        f"the row compares no answers (its keys: {keys(record.values)}); known are\n{shapes}",
        remedy="A row with a label judges one answer (KTO): write a good and a bad answer to the "
        "same prompt as chosen and rejected of one row."
        if judged
        else "Rename the keys so that the rows look like one of these.",
    )


def _ranked(record: Record) -> Preference:
    outputs = record.values["output"]
    answers = tuple(record.filled(text, f"output[{i}]") for i, text in enumerate(outputs))
    if len(answers) < 2:
        raise record.error(f"'output' must hold two answers or more, got {len(answers)}")
    return Preference(_alpaca_prompt(record), answers, record.origin)


def _alpaca_pair(record: Record) -> Preference:
    answers = (_answer(record, "chosen"), _answer(record, "rejected"))
    return Preference(_alpaca_prompt(record), answers, record.origin)


def _alpaca_prompt(record: Record) -> tuple[Message, ...]:
    """All that alpaca's reader makes of the row but the answer."""
    filled = replace(record, values={**record.values, "output": "-"})
    return alpaca.example(filled).messages[:-1]


def _sharegpt(record: Record) -> Preference:
    answers = (_answer(record, "chosen"), _answer(record, "rejected"))
    turns = [*record.objects("conversations"), {"from": "gpt", "value": "-"}]
    filled = replace(record, values={**record.values, "conversations": turns})
    return Preference(sharegpt.example(filled).messages[:-1], answers, record.origin)


def _openai(record: Record) -> Preference:
    given = record.values.get("input")
    if not isinstance(given, dict) or not is_objects(given.get("messages"), "role"):
        raise record.error("'input' must be an object with 'messages'")
    prompt = parse_messages(record, given["messages"], "input.messages")
    answers = (_answer(record, "preferred_output"), _answer(record, "non_preferred_output"))
    return Preference(prompt, answers, record.origin)


def _pair(record: Record) -> Preference:
    chosen, rejected = record.values["chosen"], record.values["rejected"]
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _texts(record)
    if is_objects(chosen, "role") and is_objects(rejected, "role"):
        return _conversations(record)
    answers = (_answer(record, "chosen"), _answer(record, "rejected"))
    return Preference(_given_prompt(record), answers, record.origin)


def _texts(record: Record) -> Preference:
    """Two texts; without a prompt, what both begin with is it."""
    chosen, rejected = record.string("chosen"), record.string("rejected")
    if "prompt" in record.values:
        return Preference(_given_prompt(record), (chosen, rejected), record.origin)
    cut = common_text(chosen, rejected)
    return Preference(chosen[:cut], (chosen[cut:], rejected[cut:]), record.origin)


def common_text(one: str, other: str) -> int:
    """Characters that both begin with, up to the end of the last whole word, so that both rests are
    filled and no token is cut in two.

    TRL cuts at the first difference, which may be inside a word.
    """
    pairs = enumerate(zip(one, other, strict=False))
    end = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    end = min(end, len(one.rstrip()) - 1, len(other.rstrip()) - 1)
    while end > 0 and not _ends_a_word(end, one, other):
        end -= 1
    return max(end, 0)


def _ends_a_word(at: int, *texts: str) -> bool:
    """Whether white space begins here in every text."""
    return all(text[at].isspace() and not text[at - 1].isspace() for text in texts)


def _conversations(record: Record) -> Preference:
    """Two lists of turns that differ in their last one; what they share is the prompt."""
    chosen, rejected = (
        parse_messages(record, record.objects(key), key) for key in ("chosen", "rejected")
    )
    shared = _shared_turns(chosen, rejected)
    for key, turns in (("chosen", chosen), ("rejected", rejected)):
        if len(turns) != shared + 1:
            raise record.error(
                f"{key!r} has {len(turns)} turns, of which the first {shared} are those of the "
                "other answer; only the last may differ",
                remedy="Cut both after the first turn in which they differ.",
            )
        if turns[-1].role != "assistant":
            raise record.error(f"{key!r} ends with a turn of {turns[-1].role}, not of assistant")
    history = chosen[:shared]
    if not any(turn.role != "system" for turn in history):
        history = (*history, *_missing_prompt(record))
    elif isinstance(record.values.get("prompt"), list):
        given = parse_messages(record, record.objects("prompt"), "prompt")
        history = history if history[: len(given)] == given else (*given, *history)
    answers = (chosen[-1].content, rejected[-1].content)
    return Preference(history, answers, record.origin)


def _shared_turns(one: Sequence[Message], other: Sequence[Message]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    shortest = min(len(one), len(other))
    return min(next((i for i, (a, b) in pairs if a != b), shortest), shortest - 1)


def _missing_prompt(record: Record) -> tuple[Message, ...]:
    """The prompt of answers that come without their history, as turns."""
    given = _given_prompt(record)
    return (Message("user", given),) if isinstance(given, str) else given


def _given_prompt(record: Record) -> str | tuple[Message, ...]:
    given = record.values.get("prompt")
    if is_objects(given, "role"):
        prompt = parse_messages(record, record.objects("prompt"), "prompt")
        return prompt if prompt[0].role == "system" else (*record.opening(), *prompt)
    return record.checked(given, "'prompt'")


def _answer(record: Record, key: str) -> str:
    """An answer: a text, one turn, or a list of one turn."""
    value = record.values.get(key)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        for role, content in ROLE_KEYS:
            if role in value:
                text = text_of(record, value, key) if role == "role" else value.get(content)
                return record.filled(text, f"{key}.{content}")
    if not isinstance(value, str):
        raise record.error(f"{key!r} must be a text or one turn, got {kind(value)}")
    return record.filled(value, repr(key))


def _margin(record: Record) -> float | None:
    value = record.values.get("margin")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise record.error(f"'margin' must be a number, got {kind(value)}")
    return float(value)


def _is_pair(values: Mapping[str, Any]) -> bool:
    return "chosen" in values and "rejected" in values


SHAPES = (
    Shape(
        "ranked list",
        '{"instruction": "…", "output": ["best", …, "worst"]}',
        lambda values: "instruction" in values and isinstance(values.get("output"), list),
        _ranked,
    ),
    Shape(
        "sharegpt pair",
        '{"conversations": [{"from": "human", "value": "…"}], "chosen": {…}, "rejected": {…}}',
        lambda values: sharegpt.fits(values) and _is_pair(values),
        _sharegpt,
    ),
    Shape(
        "alpaca pair",
        '{"instruction": "…", "chosen": "…", "rejected": "…"}',
        lambda values: "instruction" in values and _is_pair(values),
        _alpaca_pair,
    ),
    Shape(
        "pair",
        '{"prompt": "…", "chosen": "…", "rejected": "…"}, prompt optional, texts or turns',
        _is_pair,
        _pair,
    ),
    Shape(
        "openai pair",
        '{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}',
        lambda values: "preferred_output" in values,
        _openai,
    ),
)
"""All shapes; a row has the first that fits."""


def departs(name: str, found: str, record: Record) -> DataError:
    """The error for a row of another shape than its file began with."""
    return record.error(
        f"the row departs from the file's format, {name}: it looks like {found}",
        remedy="Keep rows of one shape in a file.",
    )
