"""`luciola sql ablate`: which prompts, which examples, in which order, for which model."""

from __future__ import annotations

from typing import Annotated

import typer

from luciola.cli.settings import split_words
from luciola.cli.terminal import say
from luciola.config.study import StudyConfig


def ablate(
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the points, their tokens and costs, and stop.")
    ] = False,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Write the report anew from what is there.")
    ] = False,
) -> None:
    """Ask models in many ways and compare: DAIL-SQL's study, for any model and database.

    luciola sql ablate GRID.yaml limit=200 out=runs/study

    The same command goes on where it was stopped; nothing is asked twice.
    """
    from luciola.config.load import load
    from luciola.specialist.study.trained import as_trained

    path, overrides = split_words(words or [])
    config = as_trained(load(StudyConfig, path, overrides))
    if dry_run:
        from luciola.specialist.study.forecast import forecast

        say(forecast(config))
        return
    from luciola.specialist.study.running import report_only as rewrite
    from luciola.specialist.study.running import run

    say(rewrite(config) if report_only else run(config, source=path))
