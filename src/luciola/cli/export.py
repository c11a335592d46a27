"""`luciola export`: a model in another program's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.flags import Overwrite, TrustRemoteCode

if TYPE_CHECKING:
    from luciola.export.writing import Export

app = typer.Typer(help="Write a model in another format.", add_completion=False)


@app.command(short_help="Write a model in another format.")
def export(
    model: Annotated[str, typer.Argument(help="Model, adapter or run; adapters are merged first.")],
    gguf: Annotated[str, typer.Option(help="GGUF file to write, for llama.cpp and Ollama.")],
    type: Annotated[str, typer.Option(help="Type of the matrices: f16 or q8_0.")] = "f16",
    trust_remote_code: TrustRemoteCode = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as GGUF: luciola export my-model --gguf my-model.gguf --type q8_0

    Llama- and Qwen2-type models, with tokenizer and chat template. What was written is read back
    and compared with the model on real text. A Modelfile for Ollama lies beside it.
    """
    from luciola.cli.early import check_model
    from luciola.runs.outputs import check_output

    check_output(gguf, inputs=[model], overwrite=overwrite, needs_file=True)
    check_model(model)
    from luciola.export.writing import export_gguf

    done = export_gguf(
        model, gguf, kind=type, trust_remote_code=trust_remote_code, overwrite=overwrite
    )
    typer.echo(summary(done))


def summary(done: Export) -> str:
    """What was written, and how it was checked."""
    from luciola.models.agreement import told

    tokens = "the same" if done.same_tokens else "different (see above)"
    return "\n".join(
        (
            f"{done.file}: {done.size_bytes / 1e6:,.1f} MB",
            told(done.seen, done.rounding),
            f"tokens of the probe: {tokens}",
            f"for Ollama: ollama create {done.file.stem} -f {done.modelfile}",
        )
    )
