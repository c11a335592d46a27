"""`luciola sql eval`: judge a model, or a file of SQL, by pairs or by Spider's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from luciola.cli.early import check_data, check_databases, check_model
from luciola.cli.flags import (
    AllowColumnsOnly,
    AllowTablesOnly,
    Device,
    Overwrite,
    TrustRemoteCode,
    allowed,
)
from luciola.cli.terminal import say
from luciola.config.sft import DataSource
from luciola.errors import ConfigError
from luciola.runs.outputs import DATABASES, check_output, check_outputs


def evaluate(
    database: Annotated[
        str,
        typer.Argument(metavar="DATABASE", help="SQLite file or URL, or a folder of databases."),
    ] = "",
    pairs: Annotated[
        str, typer.Option("--pairs", help="File of rows with question and query.")
    ] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="The model that answers.")] = "",
    predictions: Annotated[
        str, typer.Option("--predictions", help="Judge this file instead: one SQL a line.")
    ] = "",
    out: Annotated[str, typer.Option("--out", help="Write every answer here, as JSONL.")] = "",
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.01, help="Seconds for one query: 5, or 30 for BIRD."),
    ] = None,
    device: Device = "auto",
    trust_remote_code: TrustRemoteCode = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Only the first so many pairs.")] = 0,
    gold: Annotated[
        str, typer.Option("--gold", help="Gold file: SQL, a tab and the database's name a line.")
    ] = "",
    databases: Annotated[
        str, typer.Option("--databases", help="With --gold: folder of DB/DB.sqlite.")
    ] = "",
    tables: Annotated[str, typer.Option("--tables", help="With --gold: tables.json.")] = "",
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics", help="With --gold: some of em, ex, ts; default em,ex, for BIRD ex."
        ),
    ] = "",
    bird: Annotated[
        bool | None,
        typer.Option(
            "--bird/--no-bird", help="Judge by BIRD's rule or by Spider's; else as the data set is."
        ),
    ] = None,
    official: Annotated[
        bool, typer.Option("--official", help="With --gold: the official evaluator's oddities too.")
    ] = False,
    keep_distinct: Annotated[
        bool, typer.Option("--keep-distinct", help="With --gold: DISTINCT counts in results.")
    ] = False,
    plug_value: Annotated[
        bool, typer.Option("--plug-value", help="With --gold: literals of gold may be put in.")
    ] = False,
    json_file: Annotated[
        str, typer.Option("--json", help="Report as JSON: every verdict and its reason.")
    ] = "",
    report_file: Annotated[
        str,
        typer.Option(
            "--report", help="Report as Markdown: what failed and why, by database and hardness."
        ),
    ] = "",
    overwrite: Overwrite = False,
    allow_tables: AllowTablesOnly = "",
    allow_columns: AllowColumnsOnly = "",
) -> None:
    """Execution accuracy of a model, or of a file of SQL, on pairs of question and SQL.

    With --gold: Spider's metrics (exact match, execution, test suite) of a file of predictions.
    BIRD's questions are judged by BIRD's rule.
    """
    if gold:
        from luciola.cli.judging import judge_files

        others = {"DATABASE": database, "--pairs": pairs, "--model": model, "--out": out}
        others |= {"--report": report_file, "--limit": str(limit or "")}
        others |= {"--allow-tables": allow_tables, "--allow-columns": allow_columns}
        _check_gold_stands_alone(others)
        read = (gold, predictions, (databases, DATABASES), tables)
        report = None
        if json_file:
            report = check_output(json_file, inputs=read, overwrite=overwrite, signed=True)
        say(
            judge_files(
                gold,
                predictions,
                databases,
                tables,
                metrics=metrics,
                official=official,
                keep_distinct=keep_distinct,
                plug_value=plug_value,
                timeout=timeout,
                out=report,
                bird=bird,
            ),
            err=bool(report and report.is_stdout),
        )
        return
    from luciola.cli.scoring import score_file, score_model

    if not database or not pairs:
        raise ConfigError(
            "sql eval needs either a DATABASE with --pairs, or --gold",
            remedy="luciola sql eval shop.db --pairs pairs.jsonl --model MODEL",
        )
    if bool(model) == bool(predictions):
        remedy = "A model writes the SQL that is judged, or a file holds it: one SQL a line."
        raise ConfigError("sql eval needs either --model or --predictions", remedy=remedy)
    for_gold = {"--databases": databases, "--tables": tables, "--official": official}
    for_gold |= {"--keep-distinct": keep_distinct, "--plug-value": plug_value}
    for_gold |= {"--metrics": metrics}
    if named := [name for name, value in for_gold.items() if value]:
        raise ConfigError(
            f"sql eval with DATABASE and --pairs does not take {', '.join(named)}",
            remedy="They go with --gold, which judges by Spider's metrics.",
        )
    given = ((database, DATABASES), pairs, model, predictions)
    output, json_output, page = check_outputs(
        (out, json_file, report_file), inputs=given, overwrite=overwrite
    )
    on_stderr = any(each and each.is_stdout for each in (output, json_output, page))
    only = allowed(allow_tables, allow_columns)
    check_databases(database, only)
    check_data([DataSource(path) for path in (pairs, predictions) if path])
    if predictions:
        said = score_file(
            database,
            pairs,
            predictions,
            timeout=timeout,
            limit=limit,
            out=output,
            json_file=json_output,
            report_file=page,
            allowed=only,
            bird=bird,
        )
    else:
        check_model(model)
        said = score_model(
            database,
            pairs,
            model,
            out=output,
            timeout=timeout,
            device=device,
            limit=limit,
            trust_remote_code=trust_remote_code,
            json_file=json_output,
            report_file=page,
            allowed=only,
            bird=bird,
        )
    say(said, err=on_stderr)


def _check_gold_stands_alone(given: Mapping[str, object]) -> None:
    """Raises: ConfigError for what belongs to judging pairs, and would be passed over here."""
    named = [name for name, value in given.items() if value]
    if named:
        raise ConfigError(
            f"sql eval --gold does not take {', '.join(named)}",
            remedy="Databases are found in --databases; the report is written with --json.",
        )
