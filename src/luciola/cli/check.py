"""`luciola sql check`: what is wrong with a data set, before anything is judged on it."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from luciola.cli.errors import Ended
from luciola.cli.flags import Overwrite
from luciola.cli.terminal import say
from luciola.errors import ConfigError


def check(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER | DATABASE",
            help="Dataset, a split (spider:dev), a file of questions, or one database.",
        ),
    ],
    databases: Annotated[
        str, typer.Option("--databases", help="Folder of ID/ID.sqlite; else the data set's.")
    ] = "",
    tables: Annotated[str, typer.Option("--tables", help="tables.json; else the data set's.")] = "",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.01, help="Seconds that one query may run.")
    ] = 5.0,
    shown: Annotated[
        int, typer.Option("--shown", min=0, help="Findings of each kind that are shown.")
    ] = 5,
    json_file: Annotated[str, typer.Option("--json", help="Write every finding here.")] = "",
    overwrite: Overwrite = False,
    pairs: Annotated[
        str, typer.Option("--pairs", help="With one database: pairs whose SQL is tried on it.")
    ] = "",
) -> None:
    """Run gold against gold, and look for what is missing, empty, broken or not as published.

    luciola sql check spider

    luciola sql check shop.db --pairs pairs.jsonl

    The exit status is 1 where something is broken.
    """
    from luciola.runs.outputs import DATABASES, check_output
    from luciola.sql.checks.check import check_dataset
    from luciola.sql.checks.report import report, text
    from luciola.sql.checks.single import is_database

    read = (folder, (databases, DATABASES), tables, pairs)
    out = None
    if json_file:
        out = check_output(json_file, inputs=read, overwrite=overwrite, signed=True)
    if is_database(folder):
        if databases or tables:
            raise ConfigError(
                f"{folder} is one database, which --databases and --tables are not for",
                remedy="Give --pairs FILE to try pairs on it.",
            )
        from luciola.cli.check_database import check_one

        checked = check_one(folder, pairs, timeout_s=timeout)
    elif pairs:
        raise ConfigError(
            "--pairs goes with one database", remedy="luciola sql check shop.db --pairs FILE"
        )
    else:
        checked = check_dataset(
            folder,
            databases=databases,
            tables=tables,
            timeout_s=timeout,
            workers=min(8, max(2, os.cpu_count() or 1)),
            progress=_progress,
        )
    if out:
        out.write(json.dumps(report(checked), indent=1, ensure_ascii=False) + "\n")
    say(text(checked, shown=shown), err=bool(out and out.is_stdout))
    if checked.is_broken:
        raise Ended(1)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done >= total else ""
        print(f"\rran {done} of {total} gold queries", end=end, file=sys.stderr, flush=True)
