"""A file of prompts in, a file of answers out. Torch-free.

A row is {"prompt": "…"} or {"messages": […]}; its other columns are carried along. Answers are
written in the order of the rows, some at a time, so that an end too early loses little.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luciola.chat.reply import Answers, Reply
from luciola.chat.session import parse_line, parse_messages
from luciola.chat.settings import ChatSettings
from luciola.data.readers.lines import read_text
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.runs.outputs import Output, check_output
from luciola.types import Message

CHUNK = 64
"""Rows answered together and written at once."""


@dataclass(frozen=True)
class Prompt:
    """A row of the file: its columns, and the conversation that is to be answered."""

    row: dict[str, Any]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Summary:
    """What became of a file: rows by the way their answers finished, tokens, and seconds."""

    finishes: dict[str, int]
    tokens: int
    seconds: float

    def __str__(self) -> str:
        names = {"length": "cut off at max_new_tokens", "failed": "without an answer"}
        count = sum(self.finishes.values())
        parts = [f"{self.finishes[n]:,} {text}" for n, text in names.items() if self.finishes[n]]
        speed = self.tokens / self.seconds if self.seconds else 0.0
        remarks = f" ({', '.join(parts)})" if parts else ""
        answers, tokens = counted(count, "answer"), counted(self.tokens, "token")
        return f"{answers}{remarks}, {tokens}, {speed:,.1f} tokens/s"


def read_prompts(path: Path, system: str = "") -> list[Prompt]:
    """The rows of a JSONL file.

    Args:
        system: system message of rows that have none.

    Raises: DataError naming the line that is no prompt.
    """
    lines = enumerate(read_text(path).split("\n"), 1)
    prompts = [
        _prompt(parse_line(text, path, line), system, path, line)
        for line, text in lines
        if text.strip()
    ]
    if not prompts:
        raise DataError("holds no prompts", path=path, remedy='A row is {"prompt": "…"}.')
    return prompts


def _prompt(row: Any, system: str, path: Path, line: int) -> Prompt:
    if isinstance(row, str):
        row = {"prompt": row}
    if isinstance(row, dict) and isinstance(row.get("prompt"), str):
        messages: tuple[Message, ...] = (Message("user", row["prompt"]),)
    elif isinstance(row, dict) and ("messages" in row or "prompt" in row):
        messages = parse_messages({"messages": row.get("messages", row.get("prompt"))}, path, line)
    else:
        raise DataError(
            f"is no prompt: {row!r:.80}",
            path=path,
            line=line,
            remedy='A row is {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}.',
        )
    if messages[-1].role == "assistant":
        raise DataError(
            "ends with an answer already", path=path, line=line, remedy="Leave the answer out."
        )
    opening = (Message("system", system),) if system and messages[0].role != "system" else ()
    return Prompt(row, (*opening, *messages))


def answer_file(
    model: Answers,
    prompts: Sequence[Prompt],
    out: Output | Path,
    settings: ChatSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Answer every prompt and write a row for each: its columns, `answer`, `tokens`, `finish`.

    Raises: ConfigError if the file is there already; StorageError if it cannot be written.
    """
    output = out if isinstance(out, Output) else check_output(out)
    finishes: Counter[str] = Counter()
    tokens, seconds = 0, 0.0
    with output.growing() as write:
        for start, replies in _answered(model, prompts, settings):
            rows = [_row(*pair) for pair in zip(prompts[start:], replies, strict=False)]
            write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            finishes.update(reply.finish for reply in replies)
            tokens += sum(reply.tokens for reply in replies)
            seconds += max(reply.seconds for reply in replies)
            if progress is not None:
                progress(start + len(replies), len(prompts))
    return Summary(
        {name: finishes[name] for name in (*finishes, "length", "failed")}, tokens, seconds
    )


def _answered(
    model: Answers, prompts: Sequence[Prompt], settings: ChatSettings
) -> Iterator[tuple[int, list[Reply]]]:
    for start in range(0, len(prompts), CHUNK):
        conversations = [prompt.messages for prompt in prompts[start : start + CHUNK]]
        yield start, model.answer_all(conversations, settings, first=start)


def _row(prompt: Prompt, reply: Reply) -> dict[str, Any]:
    answer = {"answer": reply.text, "tokens": reply.tokens, "finish": reply.finish}
    error = {"error": reply.error} if reply.error else {}
    return {**prompt.row, **answer, **error}
