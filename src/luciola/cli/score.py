"""`luciola score`: what a reward model thinks of answers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.early import check_model
from luciola.cli.flags import Device, Overwrite, TrustRemoteCode
from luciola.errors import ConfigError, DataError
from luciola.runs.outputs import check_output

if TYPE_CHECKING:
    from luciola.types import Example, Message

app = typer.Typer(help="Score answers with a reward model.", add_completion=False)


@dataclass(frozen=True)
class Entry:
    """A row of a file: a prompt and its answers, best first where there are several."""

    prompt: str | tuple[Message, ...]
    answers: tuple[str, ...]
    line: int


@app.command(short_help="Score answers with a reward model.")
def score(
    model: Annotated[str, typer.Argument(help="Run's folder, or folder of a reward model.")],
    file: Annotated[
        str, typer.Argument(help="Chats, completions or preferences: their answers are scored.")
    ] = "",
    prompt: Annotated[str, typer.Option(help="A single prompt, with --answer.")] = "",
    answer: Annotated[str | None, typer.Option(help="The answer to --prompt.")] = None,
    out: Annotated[str, typer.Option(help="Write a line per row: its scores, as JSON.")] = "",
    device: Device = "auto",
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens per forward pass.")] = 8192,
    trust_remote_code: TrustRemoteCode = False,
    overwrite: Overwrite = False,
) -> None:
    """Score answers: luciola score runs/reward-… answers.jsonl, or --prompt and --answer."""
    if bool(file) == (answer is not None):
        raise ConfigError(
            "give either a file of answers or one --answer",
            remedy="luciola score MODEL FILE.jsonl, or MODEL --prompt TEXT --answer TEXT",
        )
    output = check_output(out, inputs=(model, file), overwrite=overwrite) if out else None
    check_model(model)
    entries = [Entry(prompt, (answer or "",), 0)] if answer is not None else read_entries(file)
    from luciola.models.scorer import Scorer

    scorer = Scorer.load(model, device, trust_remote_code=trust_remote_code)
    prompts = [entry.prompt for entry in entries for _ in entry.answers]
    answers = [text for entry in entries for text in entry.answers]
    flat = iter(scorer.score(prompts, answers, batch_tokens=batch_tokens))
    scores = [[next(flat) for _ in entry.answers] for entry in entries]
    if output:
        output.write(rows_of(entries, scores))
    said = summary(scores) if file else f"{scores[0][0]:.4f}"
    typer.echo(said, err=bool(output and output.is_stdout))


def read_entries(source: str) -> list[Entry]:
    """The answers of a file of preferences, chats or completions.

    Raises: DataError if it is none of these, or an example has no answer.
    """
    from luciola.data.preferences import read_preferences
    from luciola.data.readers import read
    from luciola.data.readers.record import FormatError

    try:
        return [_entry(example) for example in read(source).examples]
    except FormatError:
        found = read_preferences(source).preferences
        return [Entry(p.prompt, p.answers, p.origin.line) for p in found]


def _entry(example: Example) -> Entry:
    """The last answer of an example, behind all that comes before it."""
    from luciola.types import Completion, Conversation

    line = example.origin.line
    if isinstance(example, Completion):
        return Entry(example.prompt, (example.completion,), line)
    if isinstance(example, Conversation):
        *history, last = example.messages
        if last.role == "assistant" and history:
            return Entry(tuple(history), (last.content,), line)
    raise DataError(
        "there is no answer at the end to be scored",
        path=example.origin.path,
        line=line or None,
        remedy="Give chats that end with the assistant, completions, or preferences.",
    )


def rows_of(entries: Sequence[Entry], scores: Sequence[Sequence[float]]) -> str:
    """A line per row: its line in the source, its scores, its answers."""
    rows = (
        {"line": entry.line, "scores": list(values), "answers": list(entry.answers)}
        for entry, values in zip(entries, scores, strict=True)
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def summary(scores: Sequence[Sequence[float]]) -> str:
    """Mean, spread and range; of comparisons also how many are judged as people did."""
    from luciola.data.summary import counted

    flat = [value for values in scores for value in values]
    mean = math.fsum(flat) / len(flat)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in flat) / len(flat))
    lines = [
        f"{counted(len(flat), 'answer')}: mean {mean:.4f}, standard deviation {spread:.4f}, "
        f"{min(flat):.4f} to {max(flat):.4f}"
    ]
    compared = [values for values in scores if len(values) > 1]
    if compared:
        right = math.fsum(_agreement(values) for values in compared) / len(compared)
        lines.append(
            f"{counted(len(compared), 'comparison')}: {right:.1%} of their pairs judged as given"
        )
    return "\n".join(lines)


def _agreement(values: Sequence[float]) -> float:
    """Share of the pairs of a ranked list whose better answer scores higher."""
    right = [a > b for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum(right) / len(right)
