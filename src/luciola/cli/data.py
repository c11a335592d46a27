"""`luciola data`: look at training data as a model sees it, check it, convert it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luciola.cli.settings import recipe_command
from luciola.errors import ConfigError, DataError
from luciola.runs.outputs import check_output

if TYPE_CHECKING:
    from luciola.conversation.render import Renderer
    from luciola.data.readers import Dataset
    from luciola.types import Tokens

SHOWN_PROBLEMS = 20

app = typer.Typer(
    help="Look at training data as a model sees it, check it, convert it.", no_args_is_help=True
)


@dataclass(frozen=True)
class View:
    """How data is rendered; the names are those of `luciola train sft`."""

    model: str = ""
    """Model whose tokenizer and chat template are used: hub id, folder, GGUF file or short name."""
    template: str = ""
    """Chat template to use instead of the tokenizer's own: a Jinja file, or firefly:NAME."""
    system: str = ""
    """System prompt for conversations that have none."""
    max_length: int = 0
    """Tokens per example; what is longer is cut at the end. 0: all are kept."""
    trust_remote_code: bool = False
    """Run Python code that the model's tokenizer brings."""


class ViewCommand(recipe_command(View)):  # type: ignore[misc]
    """A command that takes a file and settings."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["FILE", "[SETTING=VALUE]...", "[OPTIONS]"]


File = Annotated[str, typer.Argument(help="Data file, folder, or hub:NAME[:SPLIT].")]
Words = Annotated[list[str] | None, typer.Argument(help="Settings, listed below.")]
SomeWords = Annotated[
    list[str] | None, typer.Argument(help="Settings, listed below, and how many examples (3).")
]


@app.command(cls=ViewCommand, short_help="Show which tokens of each example are trained.")
def show(file: File, words: SomeWords = None) -> None:
    """Show which tokens are trained, e.g. luciola data show chats.jsonl model=smollm2-135m 5."""
    count, view = _count_and_view(words or [])
    if not view.model:
        raise ConfigError(
            "showing tokens needs a model's tokenizer", remedy="Add e.g. model=smollm2-135m."
        )
    from luciola.conversation.render import truncate
    from luciola.conversation.show import legend, show
    from luciola.data.readers import read

    dataset = read(file)
    renderer = _renderer(view)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    typer.echo(_title(dataset))
    _tell_dropped(dataset)
    typer.echo(legend(colour=colour))
    for example in dataset.examples[:count]:
        for whole in renderer.render_all(example):
            tokens = truncate(whole, view.max_length)[0]
            typer.echo("\n" + show(tokens, renderer.tokenizer, colour=colour), color=True)


@app.command(cls=ViewCommand, short_help="Check every row; count tokens with model=M.")
def check(file: File, words: Words = None) -> None:
    """Check every row; count tokens if a model is named: luciola data check chats.jsonl model=M."""
    view = _view(words or [])
    from luciola.data.readers import scan
    from luciola.data.readers.dropped import ALONE
    from luciola.data.summary import summary

    dataset = scan(file)
    typer.echo(_title(dataset))
    _tell_dropped(dataset)
    if dataset.examples:
        typer.echo(summary(dataset.examples))
    problems: list[Exception] = list(dataset.skipped)
    if view.model and dataset.examples:
        problems += _check_tokens(dataset, view)
    for problem in problems[:SHOWN_PROBLEMS]:
        typer.echo(str(problem))
    if problems:
        raise _unusable(file, dataset, problems)
    left_out = sum(each.rows for each in dataset.dropped if each.kind == ALONE)
    total = f"{len(dataset):,} of {len(dataset) + left_out:,} rows" if left_out else "every row"
    said = ", but not all that is in them: see above" if dataset.dropped else ""
    typer.echo(f"{total} can be used{said}")


@app.command(short_help="Write the rows of any format as messages JSONL.")
def convert(
    file: File,
    out: Annotated[str, typer.Argument(help="JSONL file to write.")],
    single_turns: Annotated[
        bool, typer.Option("--single-turns", help="One conversation per answer.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out rows that cannot be used.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", "--force", help="Replace OUT if it is there; never FILE itself."
        ),
    ] = False,
) -> None:
    """Write the rows as messages JSONL, e.g. luciola data convert alpaca.json chats.jsonl."""
    output = check_output(out, inputs=[file], overwrite=overwrite)
    from luciola.conversation.turns import single_turns as per_answer
    from luciola.data.convert import write_messages
    from luciola.data.readers import read, scan
    from luciola.data.summary import counted
    from luciola.types import Conversation

    dataset = scan(file) if skip_broken else read(file)
    for each in dataset.dropped:
        typer.echo(f"warning: {each}", err=True)
    examples = list(dataset.examples)
    if single_turns:
        examples = [
            part
            for example in examples
            for part in (per_answer(example) if isinstance(example, Conversation) else [example])
        ]
    if not examples:
        raise DataError("no row can be used", path=file)
    rows = write_messages(examples, output)
    said = [f"{out}: {counted(rows, 'row')} from {len(dataset):,} of {dataset.format}"]
    if dataset.skipped:
        left_out = counted(len(dataset.skipped), "row")
        said.append(f"{left_out} left out, the first: {dataset.skipped[0]}")
    typer.echo("\n".join(said), err=output.is_stdout)


def _tell_dropped(dataset: Dataset) -> None:
    for each in dataset.dropped:
        typer.echo(f"warning: {each}")


def _title(dataset: Dataset) -> str:
    from luciola.data.summary import counted

    return f"{dataset.path}: {counted(len(dataset), 'row')}, {dataset.format}"


def _count_and_view(words: list[str]) -> tuple[int, View]:
    counts = [word for word in words if word.isdigit()]
    view = _view([word for word in words if not word.isdigit()])
    return int(counts[-1]) if counts else 3, view


def _view(words: list[str]) -> View:
    from luciola.config.load import load

    return load(View, None, words)


def _renderer(view: View) -> Renderer:
    from luciola.conversation.render import Renderer
    from luciola.models.load import load_tokenizer

    return Renderer(
        load_tokenizer(view.model, trust_remote_code=view.trust_remote_code),
        template=view.template,
        system=view.system,
        max_length=view.max_length,
    )


def _check_tokens(dataset: Dataset, view: View) -> list[Exception]:
    """Prints the token statistics; returns what could not be rendered."""
    from luciola.config.training import TrainingConfig
    from luciola.data.statistics import statistics
    from luciola.errors import LuciolaError

    max_cut = TrainingConfig.max_cut
    renderer = _renderer(view)
    rendered: list[Tokens] = []
    problems: list[Exception] = []
    for example in dataset.examples:
        try:
            rendered += renderer.render_all(example)
        except LuciolaError as error:
            problems.append(error)
    if rendered:
        figures = statistics(rendered, view.max_length)
        typer.echo(figures.text())
        if figures.truncated > max_cut * figures.examples:
            typer.echo(f"warning: training refuses to cut more than {max_cut:.0%} (max_cut)")
    return problems


def _unusable(file: str, dataset: Dataset, problems: list[Exception]) -> DataError:
    more = len(problems) - SHOWN_PROBLEMS
    shown = f" (the first {SHOWN_PROBLEMS} are above)" if more > 0 else ""
    total = len(dataset) + len(dataset.skipped)
    return DataError(
        f"{len(problems):,} of {total:,} rows cannot be used{shown}",
        path=file,
        remedy="Correct them, or leave them out with `luciola data convert FILE OUT --skip-broken`."
        if dataset.skipped
        else None,
    )
