"""`luciola demo`: the whole story on this machine, from an untouched model to answered
questions.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luciola.cli.errors import INTERRUPTED, Ended
from luciola.cli.flags import Device
from luciola.cli.questions import shown

if TYPE_CHECKING:
    from luciola.specialist.evaluating import Evaluation

app = typer.Typer(help="Fine-tune a small model on a database and ask it questions.")

MODEL = "smollm2-135m"
DEFAULT_OUT = "runs/demo"
ANSWER_TOKENS = 80
"""Longest answer; the longest SQL of the pairs has two thirds of it."""


@app.command()
def demo(
    out: Annotated[str, typer.Option("--out", help="Folder for the database and the run.")] = (
        DEFAULT_OUT
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again where it has run.")] = False,
    device: Device = "auto",
) -> None:
    """Fine-tune SmolLM2-135M on a bundled database, before and after; then ask it questions.

    About eight minutes on two cores. What it writes is under runs/demo.
    """
    from luciola.demo import HELDOUT_FILE, SHOWCASE, check_demo_folder, database_path
    from luciola.specialist.pairs import read_pairs

    began = time.perf_counter()
    folder = Path(out)
    check_demo_folder(folder)
    database = database_path(folder)
    held_out = read_pairs(HELDOUT_FILE)
    typer.echo(f"database  {database}: a coffee roaster's shops, staff, products and sales")
    before = _score(MODEL, database, held_out, device, folder / "before.jsonl")
    typer.echo(f"before    {_words(before)}")
    model, train_s = _train(folder, database, device, fresh=fresh)
    after = _score(model, database, held_out, device, folder / "after.jsonl")
    typer.echo(f"before    {_words(before)}")
    typer.echo(f"after     {_words(after)}")
    _show(model, database, SHOWCASE, device)
    figures = {
        "execution_accuracy_before": round(before.accuracy, 4),
        "execution_accuracy_after": round(after.accuracy, 4),
        "not_running_before": before.not_running,
        "not_running_after": after.not_running,
        "questions": len(held_out),
        "train_s": train_s,
        "answer_s_before": round(before.answer_s, 1),
        "answer_s_after": round(after.answer_s, 1),
        "total_s": round(time.perf_counter() - began, 1),
    }
    _report(folder, figures)
    typer.echo(f"\nAll of it took {figures['total_s']:.0f} s; the figures are in {folder}/.")
    typer.echo("Ask your own question:")
    typer.echo(f'  {_command()} sql ask {database} "Which shop sold the most in 2024?"')


def _score(model: str, database: Path, pairs: Any, device: str, answers: Path) -> Evaluation:
    """Let a model answer the held-out questions, and keep every answer."""
    from luciola.specialist.asking import Writer
    from luciola.specialist.evaluating import Databases, evaluate_model, write_predictions

    writer = Writer(model, device=device, max_new_tokens=ANSWER_TOKENS, batch=len(pairs))
    evaluation = evaluate_model(writer, pairs, Databases(database))
    write_predictions(answers, pairs, evaluation, overwrite=True)
    return evaluation


def _words(evaluation: Evaluation) -> str:
    total = len(evaluation.predictions)
    return (
        f"{evaluation.accuracy:6.1%} of {total} held-out questions answered right, "
        f"{evaluation.not_running} answers do not run ({evaluation.answer_s:.0f} s)"
    )


def _train(folder: Path, database: Path, device: str, *, fresh: bool) -> tuple[str, float]:
    """The folder of the trained model, and the seconds its training took."""
    from luciola.demo.recipe import recipe
    from luciola.specialist.training import train_specialist

    config = recipe(database, model=MODEL, out=folder / "training", device=device)
    result = train_specialist(config, fresh=fresh)
    if result.ending == "interrupted":
        typer.echo(result.text)
        raise Ended(INTERRUPTED)
    report = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))
    return str(result.model), float(report["train_s"])


def _show(model: str, database: Path, questions: tuple[str, ...], device: str) -> None:
    from luciola.specialist.asking import Specialist, Writer

    with Specialist(Writer(model, device=device), database) as specialist:
        for question in questions:
            typer.echo(f"\n{question}\n{shown(specialist.ask(question))}")


def _report(folder: Path, figures: dict[str, Any]) -> None:
    from luciola.runs.report import write_report

    rows = folder / "training" / "metrics.jsonl"
    metrics = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    write_report(folder, figures, title="A specialist on a coffee roaster", metrics=metrics)


def _command() -> str:
    """How this program is called, so that the line can be copied."""
    import shutil
    import sys

    if shutil.which("luciola"):
        return "luciola"
    beside = Path(sys.executable).with_name("luciola")
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)
