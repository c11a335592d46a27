"""`luciola trace`: what an online method did to each token of a run's answers, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.flags import Overwrite
from luciola.data.summary import counted
from luciola.errors import DataError

if TYPE_CHECKING:
    from luciola.runs.trace import AnswerTrace

PAGE = "trace.html"
HOW_TO_TRACE = (
    "A run of ppo, a2c, grpo or rloo keeps one with trace_prompts=4 (how many prompts; 0: none) "
    "and trace_every=1 (iterations between two pictures; 0: twenty over the run)."
)

app = typer.Typer(help="Show what PPO did to each token.")


@app.command(short_help="Show what PPO did to each token.")
def trace(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's folder, or its name in runs/.")
    ],
    out: Annotated[
        str, typer.Option("--out", help=f"HTML file to write instead of RUN/{PAGE}.")
    ] = "",
    overwrite: Overwrite = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Make one HTML page of what happened to each token, e.g. luciola trace runs/my-ppo --open."""
    from luciola.runs.metrics import Metrics
    from luciola.runs.outputs import check_output
    from luciola.runs.page import is_trace_page, trace_page

    folder, file = _found(run)
    read = (file, *(folder / name for name in ("metrics.jsonl", "model", "checkpoints")))
    path = out or str(folder / PAGE)
    output = check_output(path, inputs=read, overwrite=overwrite, replaces=is_trace_page)
    answers = _answers(file)
    page = trace_page(answers, Metrics(folder / "metrics.jsonl").rows(), run=folder.resolve().name)
    output.write(page)
    iterations = len({answer.iteration for answer in answers})
    counts = f"{counted(len(answers), 'answer')} of {counted(iterations, 'iteration')}"
    typer.echo(f"{path}: {counts}, {_size(len(page.encode()))}", err=output.is_stdout)
    if show and output.place and output.place.is_file():
        import webbrowser

        webbrowser.open(output.place.as_uri())


def _found(run: str) -> tuple[Path, Path]:
    """The folder of a run and its trace. Raises: DataError where there is none."""
    from luciola.runs.folder import RUNS
    from luciola.runs.trace import NAME

    place = next((p for p in (Path(run), RUNS / run) if p.exists()), None)
    if place is None:
        remedy = "Name the folder of a run, e.g. luciola trace runs/my-ppo."
        raise DataError("there is no such run", path=run, remedy=remedy)
    folder = place if place.is_dir() else place.parent
    file = place / NAME if place.is_dir() else place
    if not file.is_file():
        raise DataError(f"this run has no trace ({NAME})", path=place, remedy=HOW_TO_TRACE)
    return folder, file


def _answers(file: Path) -> list[AnswerTrace]:
    from luciola.runs.trace import TraceFile

    answers = TraceFile(file).read()
    if not answers:
        raise DataError("the trace is empty: no answer was traced", path=file, remedy=HOW_TO_TRACE)
    return answers


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
