"""`trace.jsonl`: what an online method did to each token of a few answers, one line per answer.

A line is one iteration's answer to one traced prompt, with a column per figure: what the policy
sampled, what the feedback made of it, and what learning changed. Columns that a method does not
have (GRPO has no values) are left out. `luciola trace` makes a page of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from luciola.errors import DataError
from luciola.runs.atomic import storage_errors, write_atomically

NAME = "trace.jsonl"
DIGITS = 7
"""Significant digits kept of each figure: those of a float32."""
FINISHES = ("end", "length", "stop", "refused")
Numbers = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class AnswerTrace:
    """One answer, token by token. Columns have one entry per token; an empty one is absent.

    Log-probabilities are in nats, at the temperature of sampling. A figure that is no number is
    written as null and read back as NaN.

    Args:
        iteration: rounds of sampling before this one.
        step: optimizer steps taken when this iteration's learning had ended.
        prompt_index: which of the traced prompts.
        method: ppo, a2c, grpo, rloo.
        finish: why the answer ended.
        settings: what the figures were made with (gamma, lam, clip, clip_value, kl_coef,
            kl_estimator, temperature, whiten_advantages, whiten_rewards, advantage_mean,
            advantage_std; clip_high where the interval is not symmetric; where there is no critic
            group_score, the answer's own as it is compared, and group_mean and group_std, or
            baseline). The page writes its equations with them.
        score: the answer's reward; NaN where only tokens have one. `parts`: its components.
        kls: penalty per token before its coefficient.
        scores: the part of the score that was put on each token.
        rewards: -kl_coef * kls + scores. `whitened_rewards`: what the advantages were made of.
        values: the critic before each token.
        deltas: temporal-difference errors. `raw_advantages`: before whitening.
        new_logprobs: under the policy after this iteration's learning; `new_values` likewise.
        ratios: exp(new_logprobs - logprobs). `clipped`: whether the clip stopped the gradient.

    Raises: ValueError for a column whose length differs from that of `tokens`.
    """

    iteration: int
    step: int
    prompt_index: int
    method: str
    prompt: str
    finish: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    score: float = math.nan
    parts: Mapping[str, float] = field(default_factory=dict)

    tokens: Sequence[str]
    ids: Sequence[int] = ()
    logprobs: Numbers = ()
    ref_logprobs: Numbers = ()
    kls: Numbers = ()
    scores: Numbers = ()
    rewards: Numbers = ()
    whitened_rewards: Numbers = ()
    values: Numbers = ()
    deltas: Numbers = ()
    raw_advantages: Numbers = ()
    advantages: Numbers = ()
    returns: Numbers = ()
    new_logprobs: Numbers = ()
    new_values: Numbers = ()
    ratios: Numbers = ()
    clipped: Sequence[bool] = ()
    policy_losses: Numbers = ()

    def __post_init__(self) -> None:
        if self.finish not in FINISHES:
            raise ValueError(f"finish must be one of {', '.join(FINISHES)}, got {self.finish!r}")
        for name in COLUMNS:
            column = tuple(getattr(self, name))
            object.__setattr__(self, name, column)
            if column and len(column) != len(self.tokens):
                have = f"{len(column)} entries for {len(self.tokens)} tokens"
                raise ValueError(f"the column {name!r} has {have}")

    def to_json(self, digits: int = DIGITS) -> dict[str, Any]:
        """As plain JSON values, floats to `digits` significant digits, empty columns left out."""
        plain = {name: _plain(getattr(self, name), digits) for name in NAMES}
        return {
            name: value for name, value in plain.items() if name not in COLUMNS[1:] or value != []
        }

    @classmethod
    def from_json(cls, row: Any) -> AnswerTrace:
        """The answer of a line; what it has besides is ignored.

        Raises: ValueError saying what is missing or wrong.
        """
        if not isinstance(row, dict):
            raise ValueError(f"an object was expected, not {type(row).__name__}")
        missing = [name for name in REQUIRED if name not in row]
        if missing:
            raise ValueError(f"{missing[0]!r} is missing")
        known = {name: row[name] for name in NAMES if name in row}
        for name, value in known.items():
            _check(name, value)
        return cls(**{name: _restored(name, value) for name, value in known.items()})


NAMES = tuple(column.name for column in fields(AnswerTrace))
COLUMNS = NAMES[NAMES.index("tokens") :]
REQUIRED = ("iteration", "step", "prompt_index", "method", "prompt", "finish", "tokens")
KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("iteration", "step", "prompt_index"), int),
    **dict.fromkeys(("method", "prompt", "finish"), str),
    **dict.fromkeys(("settings", "parts"), dict),
    "score": (int, float, type(None)),
}
ENTRY_KINDS: dict[str, type | tuple[type, ...]] = {"tokens": str, "ids": int, "clipped": bool}
NUMBER = (int, float, type(None))


class TraceFile:
    """The traced answers of a run, in a file that is only appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, answer: AnswerTrace) -> None:
        """Add a line. Raises: StorageError on a full disk."""
        line = json.dumps(answer.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        data = line.encode("utf-8", errors="replace")  # a token may be half of a surrogate pair
        with storage_errors(self.path, len(data)), self.path.open("ab") as file:
            file.write(data)

    def read(self) -> list[AnswerTrace]:
        """Every answer, oldest first. A last line that a kill cut off is left out.

        Raises: DataError where there is no such file, or a line is no answer, naming the line.
        """
        if not self.path.is_file():
            raise DataError("there is no such file", path=self.path)
        return [self._answer(number, line) for number, line in self._lines()]

    def forget_after(self, step: int) -> None:
        """Drop the lines after `step`, where a resumed run goes on, and those that are broken."""
        if self.path.exists():
            kept = (line for _, line in self._lines() if _step(line) <= step)
            write_atomically(self.path, "".join(f"{line}\n" for line in kept))

    def _lines(self) -> Iterator[tuple[int, str]]:
        """(1-based number, line) of the lines that are not blank, but for a last one cut off."""
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        lines = text.split("\n")  # splitlines would also split at characters inside a string
        if lines[-1] and _step(lines[-1]) == math.inf:
            lines.pop()
        return ((number, line) for number, line in enumerate(lines, 1) if line.strip())

    def _answer(self, number: int, line: str) -> AnswerTrace:
        try:
            return AnswerTrace.from_json(json.loads(line))
        except ValueError as error:  # JSONDecodeError is one
            what = "no JSON" if isinstance(error, json.JSONDecodeError) else "no traced answer"
            raise DataError(
                f"{what}: {error}",
                path=self.path,
                line=number,
                remedy="Remove the line, or restore the file from where it was whole.",
            ) from None


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item, digits) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def _check(name: str, value: Any) -> None:
    """Raises: ValueError where the value, or an entry of the column, is of another kind."""
    if name not in COLUMNS:
        if not isinstance(value, KINDS[name]) or isinstance(value, bool):
            raise ValueError(f"{name!r} is {value!r:.40}")
        return
    if not isinstance(value, list):
        raise ValueError(f"{name!r} is {value!r:.40}, not a list")
    kind = ENTRY_KINDS.get(name, NUMBER)
    for index, item in enumerate(value):
        if not isinstance(item, kind) or (isinstance(item, bool) and kind is not bool):
            raise ValueError(f"{name!r} has {item!r:.40} at token {index}")


def _restored(name: str, value: Any) -> Any:
    """Null is NaN again."""
    if name == "score":
        return math.nan if value is None else float(value)
    if name in COLUMNS and name not in ENTRY_KINDS:
        return tuple(math.nan if item is None else float(item) for item in value)
    return value


def _step(line: str) -> float:
    """The step of a line; infinite where the line is broken, so that it is not kept."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf
