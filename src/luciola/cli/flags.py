"""Flags that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from luciola.sql.database.allowed import Allowed

Timeout = Annotated[
    float, typer.Option("--timeout", min=0.01, help="Seconds that one query may run.")
]
TABLES_HELP = "Only these tables and views may be read: shop,employee."
COLUMNS_HELP = "Of these tables only these columns: employee.name,…"
AllowTables = Annotated[
    str, typer.Option("--allow-tables", "--tables", metavar="NAMES", help=TABLES_HELP)
]
AllowColumns = Annotated[
    str, typer.Option("--allow-columns", "--columns", metavar="NAMES", help=COLUMNS_HELP)
]
AllowTablesOnly = Annotated[str, typer.Option("--allow-tables", metavar="NAMES", help=TABLES_HELP)]
"""Without the short form, where --tables is tables.json or settings go without dashes."""
AllowColumnsOnly = Annotated[
    str, typer.Option("--allow-columns", metavar="NAMES", help=COLUMNS_HELP)
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
    """What --allow-tables and --allow-columns let be read; None: everything."""
    return Allowed.of(listed(tables), listed(columns))


def listed(text: str) -> list[str]:
    """Names that commas part."""
    return [name.strip() for name in text.split(",") if name.strip()]
