"""Flags that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Timeout = Annotated[
    float, typer.Option("--timeout", min=0.01, help="Seconds that one query may run.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that the model brings.")
]
