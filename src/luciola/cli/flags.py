"""Flags that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from luciola.sql.database.allowed import Allowed

Timeout = Annotated[
    float, typer.Option("--timeout", min=0.01, help="Seconds that one query may run.")
]
Tables = Annotated[
    str,
    typer.Option(
        "--tables", metavar="NAMES", help="Only these tables and views may be read: shop,employee."
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns", metavar="NAMES", help="Of these tables only these columns: employee.name,…"
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a file that is there; never one that is read."),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that the model brings.")
]


def allowed(tables: str, columns: str) -> Allowed | None:
    """What --tables and --columns let be read; None: everything."""
    return Allowed.of(_names(tables), _names(columns))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
