"""The command `luciola`: finds the verb, imports its file, and sees to a clear end.

Only the verb that was asked for is imported, so that `luciola --help` answers at once.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

from luciola.cli.errors import run_clearly
from luciola.cli.terminal import bounded
from luciola.errors import ConfigError

VERBS = {
    "demo": "Fine-tune a small model on a database and ask it questions.",
    "train": "Train a model of your own.",
    "plan": "Predict the memory of a run, part by part.",
    "data": "Look at training data as a model sees it, check it, convert it.",
    "models": "Get and list the models that have a short name.",
    "chat": "Talk to a model.",
    "score": "Score answers with a reward model.",
    "merge": "Merge an adapter into its model.",
    "export": "Write a model in another format.",
    "sql": "Ask your own database: look at it, train on it, ask it.",
    "trace": "Show what PPO did to each token.",
    "serve": "Serve a model over an OpenAI-compatible API.",
    "doctor": "Say what is installed, what this machine can do, and what is missing.",
}
"""Every verb with its line of help; a verb is offered where its file exists."""
DEBUG = "--debug"
INSTALLED_BY_TYPER = ("install_completion", "show_completion")


class Verbs(TyperGroup):
    """The verbs; each is imported when it is used and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [verb for verb in VERBS if find_spec(f"luciola.cli.{verb}")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            near = get_close_matches(cmd_name, self.list_commands(ctx), n=1)
            remedy = f"Did you mean {near[0]}?" if near else "luciola --help lists them."
            raise ConfigError(f"there is no command {cmd_name!r}", remedy=remedy)
        app = importlib.import_module(f"luciola.cli.{cmd_name}").app
        app.rich_markup_mode = None  # plain help appears twice as fast
        command: Any = typer.main.get_command(app)
        command.name = cmd_name
        command.params = [p for p in command.params if p.name not in INSTALLED_BY_TYPER]
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, VERBS[verb]) for verb in self.list_commands(ctx)])


app = typer.Typer(
    cls=Verbs,
    name="luciola",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    invoke_without_command=True,
    epilog=f"With {DEBUG} an error shows its trace. Each command has its own --help.",
)


@app.callback()
def luciola(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """Train, align and serve a language model of your own, and ask your own database."""
    if version:
        from luciola import __version__

        print(f"luciola {__version__}")
    elif ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words or os.environ.get("LUCIOLA_DEBUG", "0") not in ("", "0")
    words = [word for word in words if word != DEBUG]
    _keep_to_ourselves()
    _show_notices()
    return run_clearly(lambda: _run(words), debug=debug)


def _run(words: Sequence[str]) -> int:
    command: Any = typer.main.get_command(app)
    status = command.main(list(words), prog_name="luciola", standalone_mode=False)
    sys.stdout.flush()  # here, so that a reader who has gone is noticed where it is handled
    if status == 130:
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _keep_to_ourselves() -> None:
    """Nothing leaves the machine unless asked for: no usage statistics of the libraries."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")


class _Notices(logging.Handler):
    """Prints notices to the stderr of the moment: a progress bar puts its own in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(bounded(self.format(record)), file=sys.stderr)


def _show_notices() -> None:
    logger = logging.getLogger("luciola")
    if not logger.handlers:
        logger.addHandler(_Notices())
        logger.setLevel(logging.INFO)
        logger.propagate = False
