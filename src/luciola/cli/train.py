"""`luciola train`: one command per method."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.early import check_data, check_model
from luciola.cli.errors import INTERRUPTED, Ended
from luciola.cli.settings import recipe_command, split_words
from luciola.config.sft import SftConfig

if TYPE_CHECKING:
    from luciola.methods.running import Result

app = typer.Typer(no_args_is_help=True, help="Train a model of your own.")

Words = Annotated[
    list[str] | None,
    typer.Argument(hidden=True),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check the data, the recipe and the model, then stop."),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Begin again where the run's folder holds an unfinished run."),
]


@app.callback()
def train() -> None:
    """Train a model of your own. The same command again goes on where it stopped."""


@app.command(
    cls=recipe_command(SftConfig), short_help="Fine-tune a model on chats, completions or text."
)
def sft(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
    """Fine-tune a model on chats, completions or text, with LoRA or in full.

    luciola train sft model=smollm2-135m data=chats.jsonl
    """
    from luciola.config.load import load

    path, overrides = split_words(words or [])
    config = load(SftConfig, path, overrides)
    check_data([*config.data, *config.eval_data])
    check_model(config.model)
    from luciola.methods.sft import run  # torch loads here, after the recipe is known to be right

    tell(run(config, dry_run=dry_run, fresh=fresh))


def tell(result: Result) -> None:
    """Say what came of a run, once however many processes there are.

    Raises: Ended where the run was interrupted.
    """
    if os.environ.get("RANK", "0") == "0":
        typer.echo(result.text)
    if result.ending == "interrupted":
        raise Ended(INTERRUPTED)
