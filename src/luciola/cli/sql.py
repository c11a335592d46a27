"""`luciola sql`: look at a database, teach a model about it, ask it, judge its answers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from luciola.cli.ablate import ablate
from luciola.cli.answering import answer
from luciola.cli.check import check
from luciola.cli.early import check_database, check_model, check_sql_training
from luciola.cli.evaluating import evaluate
from luciola.cli.flags import (
    AllowColumns,
    AllowColumnsOnly,
    AllowTables,
    AllowTablesOnly,
    Device,
    Timeout,
    TrustRemoteCode,
    allowed,
)
from luciola.cli.prompts import prompts
from luciola.cli.settings import recipe_command, split_words
from luciola.cli.terminal import say
from luciola.cli.train import tell
from luciola.config.sql import SqlConfig
from luciola.config.study import StudyConfig
from luciola.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Ask your own database.")

Database = Annotated[
    str, typer.Argument(metavar="DATABASE", help="SQLite file, or URL such as postgresql://…")
]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="Bundled name, folder or hub id; else the newest model trained on it."
    ),
]


@app.callback()
def sql() -> None:
    """Ask your own database. Nothing leaves this machine, and nothing is ever written to it."""


app.command(short_help="Write DAIL-SQL's prompts, with examples or without.")(prompts)
app.command(short_help="Let a model answer prompts, one SQL a line.")(answer)
app.command(short_help="Look for what is wrong with a data set.")(check)
app.command(
    cls=recipe_command(StudyConfig, first="GRID.yaml"),
    short_help="Compare prompts, examples and models over a grid.",
)(ablate)


@app.command(short_help="Look at tables, keys, rows and sample values.")
def inspect(
    database: Database,
    samples: Annotated[int, typer.Option("--samples", min=0, help="Values shown per column.")] = 3,
    allow_tables: AllowTables = "",
    allow_columns: AllowColumns = "",
) -> None:
    """Show tables, keys, rows and sample values, and the schema as a model reads it."""
    from luciola.sql.inspection import inspection

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    only = allowed(allow_tables, allow_columns)
    say(inspection(database, samples=samples, allowed=only, terminal=width))


@app.command(
    cls=recipe_command(SqlConfig, first="[DATABASE | RECIPE.yaml]"),
    short_help="Teach a model to write SQL for a database.",
)
def train(
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    pairs: Annotated[
        str, typer.Option("--pairs", help="File of rows with question and query.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, then stop.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again in the run's folder.")
    ] = False,
    allow_tables: AllowTablesOnly = "",
    allow_columns: AllowColumnsOnly = "",
) -> None:
    """Teach a model to answer questions about a database with SQL.

    luciola sql train shop.db --pairs pairs.jsonl model=smollm2-135m
    """
    from luciola.config.load import load

    flags = {"pairs": pairs, "allow_tables": allow_tables, "allow_columns": allow_columns}
    given = [f"{name}={value}" for name, value in flags.items() if value]
    _check_pairs_are_named(words or [])
    path, overrides = split_words(_named_database(words or []))
    config = load(SqlConfig, path, [*overrides, *given])
    check_sql_training(config)
    from luciola.specialist.training import train_specialist

    result = train_specialist(config, dry_run=dry_run, fresh=fresh)
    tell(result)
    if result.ending in ("finished", "stopped early") and not Path(config.database).is_dir():
        from luciola.sql.database.address import display_name

        name = display_name(config.database)
        say(f'Ask it: luciola sql ask {name} "…" --model {result.model}')


def _check_pairs_are_named(words: list[str]) -> None:
    """Raises: ConfigError for a file of pairs without --pairs, which is no recipe."""
    for word in words[1:]:
        if "=" not in word and word.endswith((".jsonl", ".json", ".csv", ".parquet")):
            raise ConfigError(
                f"{word} is neither a setting nor a recipe",
                remedy=f"A file of pairs is given with --pairs {word}.",
            )


def _named_database(words: list[str]) -> list[str]:
    """`shop.db lr=1e-3` as `database=shop.db lr=1e-3`; a recipe stays as it is."""
    if words and "=" not in words[0] and not words[0].endswith((".yaml", ".yml")):
        return [f"database={words[0]}", *words[1:]]
    return words


@app.command(short_help="Answer questions: the SQL, its rows, the seconds.")
def ask(
    database: Database,
    question: Annotated[
        str | None, typer.Argument(help="The question; without one, they are read from the input.")
    ] = None,
    model: Model = "",
    timeout: Timeout = 5.0,
    allow_tables: AllowTables = "",
    allow_columns: AllowColumns = "",
    device: Device = "auto",
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Answer a question about a database: the SQL, its result, and how long it took."""
    from luciola.cli.questions import answer_all, answer_one
    from luciola.sql.database.address import display_name

    check_database(database)
    if question is not None and not question.strip():
        raise ConfigError("the question is empty", remedy='Ask e.g. "How many rows are there?"')
    chosen = model or _newest_specialist(database)
    check_model(chosen)
    if not model:
        say(f"model {chosen}, the newest trained on {display_name(database)}", err=True)
    from luciola.specialist.asking import Specialist, Writer

    writer = Writer(chosen, device=device, trust_remote_code=trust_remote_code)
    only = allowed(allow_tables, allow_columns)
    with Specialist(writer, database, timeout_s=timeout, allowed=only) as specialist:
        if only is None and specialist.allowed is not None:
            say(
                f"this model was trained on {specialist.allowed}, and may read no more; "
                "--allow-tables and --allow-columns name something else",
                err=True,
            )
        if changed := specialist.changes():
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            what = "the schema has changed since this model was trained"
            if specialist.is_another:
                trained_on = display_name(writer.expertise.database)
                what = f"this model was trained on {trained_on}, whose schema is another"
            say(
                f"{what}: {', '.join(changed[:3])}{more}; train it again for answers that know it",
                err=True,
            )
        if question is None:
            answer_all(specialist)
        else:
            answer_one(specialist, question)


def _newest_specialist(database: str) -> str:
    from luciola.specialist.expertise import lost_specialists, specialists
    from luciola.sql.database.address import display_name

    found = specialists(database)
    if not found:
        name = display_name(database)
        lost = lost_specialists()
        raise ConfigError(
            f"no model under runs/ was trained on {name}",
            remedy=f"{lost[0][0]} was trained on {lost[0][1]}, which is gone; if it has moved, add "
            f"--model {lost[0][0]}."
            if lost
            else f"Name one with --model, or train one: luciola sql train {name} "
            "--pairs FILE model=smollm2-135m",
        )
    return str(found[0])


app.command(name="eval", short_help="Execution accuracy, and Spider's own metrics.")(evaluate)
