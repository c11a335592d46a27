"""`luciola merge`: an adapter and its base become one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from luciola.models.merge import Merge

app = typer.Typer(help="Merge an adapter into its model.", add_completion=False)


@app.command(short_help="Merge an adapter into its model.")
def merge(
    adapter: Annotated[str, typer.Argument(help="Folder of an adapter, or of its run.")],
    out: Annotated[str, typer.Argument(help="Folder to write; new or empty.")],
    dtype: Annotated[str, typer.Option(help="Weights as bf16, fp16 or fp32.")] = "bf16",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that the base brings.")
    ] = False,
) -> None:
    """Merge an adapter into its base: luciola merge runs/sft-… my-model

    The base is loaded unquantised, each layer is merged in float32 and rounded once. What was
    written is loaded again and compared with base and adapter on real text.
    """
    from luciola.cli.early import check_model

    check_model(adapter)
    from luciola.models import merge as merging

    done = merging.merge(adapter, out, dtype=dtype, trust_remote_code=trust_remote_code)
    typer.echo(summary(done))


def summary(done: Merge) -> str:
    """What was written, and how it was checked."""
    from luciola.models.agreement import told

    return (
        f"{done.folder}: {done.size_bytes / 1e6:,.1f} MB, {done.dtype}\n"
        f"{told(done.seen, done.rounding)}, the adapter by {done.effect:.2g}"
    )
