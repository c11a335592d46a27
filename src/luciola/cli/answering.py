"""`luciola sql answer`: let a model answer a file of prompts, one SQL a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.flags import Device, Overwrite
from luciola.errors import ConfigError
from luciola.runs.outputs import DATABASES, Input, Output, check_different, check_output

if TYPE_CHECKING:
    from luciola.sql.asking.model import Answers, LanguageModel, Sampling

ENDS = (";",)
"""What ends an answer that goes on from its prompt; a chat model ends its answer itself."""
AT_A_SERVER = {
    "--adapter": "A server has its own adapters, under names of their own: give that as --name.",
    "--raw": "To a server, say --completions: it then goes on from the prompt.",
    "--chat": "A server is asked in a chat anyway: leave --chat out.",
    "--trust-remote-code": "A server runs its models itself: leave --trust-remote-code out.",
}
"""What to do instead of a flag that only means something for a model on this machine."""


def answer(
    prompts: Annotated[str, typer.Option("--prompts", help="Rows with prompt and db_id, JSONL.")],
    out: Annotated[str, typer.Option("--out", help="Write one SQL a line here.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Bundled name, folder or hub id; answers here.")
    ] = "",
    adapter: Annotated[
        str, typer.Option("--adapter", help="With --model: folder of an adapter on it.")
    ] = "",
    raw: Annotated[
        bool | None,
        typer.Option(
            "--raw/--chat",
            help="With --model: go on from the prompt, or a chat; else as it was trained.",
        ),
    ] = None,
    device: Device = "auto",
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="With --model: run Python code that it brings."),
    ] = False,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="OpenAI-compatible server, e.g. http://HOST:8000/v1.")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What the server calls its model.")] = "",
    completions: Annotated[
        bool, typer.Option("--completions", help="With --endpoint: /completions, not a chat.")
    ] = False,
    key_variable: Annotated[
        str, typer.Option("--key-variable", help="Variable of the environment with the key.")
    ] = "OPENAI_API_KEY",
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help="Requests under way at a time.")
    ] = 8,
    tries: Annotated[int, typer.Option("--tries", min=1, help="Of a request that fails.")] = 6,
    patience: Annotated[
        float, typer.Option("--patience", min=0.01, help="Seconds that a request may take.")
    ] = 120.0,
    requests_per_minute: Annotated[
        float, typer.Option("--requests-per-minute", min=0, help="0: no limit.")
    ] = 0,
    tokens_per_minute: Annotated[
        float, typer.Option("--tokens-per-minute", min=0, help="Read and written; 0: no limit.")
    ] = 0,
    price_in: Annotated[
        float, typer.Option("--price-in", min=0, help="Money per million tokens read.")
    ] = 0,
    price_out: Annotated[
        float, typer.Option("--price-out", min=0, help="Money per million tokens written.")
    ] = 0,
    votes: Annotated[
        int, typer.Option("--votes", min=1, help="Answers that vote by their results.")
    ] = 1,
    databases: Annotated[
        str, typer.Option("--databases", help="With --votes: folder of ID/ID.sqlite files.")
    ] = "",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.01, help="With --votes: seconds for a query.")
    ] = 5.0,
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, help="0, or 1 with --votes.")
    ] = None,
    top_p: Annotated[
        float, typer.Option("--top-p", min=0.01, max=1, help="Share of probability drawn from.")
    ] = 1.0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of one answer.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of what is drawn.")] = 0,
    original: Annotated[
        bool, typer.Option("--original", help="Read answers as the published code does.")
    ] = False,
    json_file: Annotated[str, typer.Option("--json", help="Report with all answers.")] = "",
    cache: Annotated[
        str, typer.Option("--cache", help="Keep answers here; else OUT.answers.jsonl.")
    ] = "",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep and take none.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Let a model answer prompts of `luciola sql prompts`: one SQL a line, in their order.

    luciola sql answer --prompts prompts.jsonl --model smollm2-135m --out predictions.sql

    The same command goes on where it stopped, and replaces what it wrote itself.
    """
    from luciola.cli.answers import decided, read_prompts, report, told
    from luciola.sql.asking.costs import Prices
    from luciola.sql.asking.model import Sampling

    _check_one_model(
        model,
        endpoint,
        name,
        adapter=adapter,
        raw=raw,
        trust_remote_code=trust_remote_code,
        completions=completions,
        votes=votes,
        databases=databases,
    )
    output, json_output, place = _outputs(
        out,
        json_file,
        cache,
        (prompts, (databases, DATABASES), model, adapter),
        no_cache=no_cache,
        overwrite=overwrite,
    )
    rows = read_prompts(prompts, databases if votes > 1 else "")
    heat = float(votes > 1) if temperature is None else temperature
    asked: LanguageModel
    goes_on = completions
    if endpoint:
        from luciola.sql.asking.endpoint import Endpoint

        asked = Endpoint(
            endpoint,
            name,
            key_variable=key_variable,
            chat=not completions,
            concurrency=concurrency,
            tries=tries,
            timeout_s=patience,
            requests_per_minute=requests_per_minute or None,
            tokens_per_minute=tokens_per_minute or None,
            cache=place,
        )
    else:
        from luciola.specialist.local import LocalModel

        asked = LocalModel(
            model,
            device=device,
            adapter=adapter or None,
            raw=raw,
            cache=place,
            trust_remote_code=trust_remote_code,
        )
        goes_on = asked.raw
    sampling = Sampling(votes, heat, top_p, max_tokens, ENDS if goes_on else (), seed)
    began = time.perf_counter()
    with _kept(place):
        answers = _answered(asked, [row.prompt for row in rows], sampling)
    seconds = time.perf_counter() - began
    chosen = decided(rows, answers, databases, original=original, timeout_s=timeout)
    output.write("".join(one.sql + "\n" for one in chosen))
    prices = Prices(price_in, price_out)
    if json_output:
        report(json_output, asked.name, sampling, rows, answers, chosen, prices, seconds)
    on_stderr = output.is_stdout or bool(json_output and json_output.is_stdout)
    for line in told(out, answers, chosen, prices, seconds, max_tokens=max_tokens):
        typer.echo(line, err=on_stderr)


def _outputs(
    out: str,
    json_file: str,
    cache: str,
    read: Sequence[Input],
    *,
    no_cache: bool,
    overwrite: bool,
) -> tuple[Output, Output | None, Path | None]:
    """Where the lines, the report and the kept answers go.

    What this command wrote to the first two before is replaced; the third is added to. A stream
    has no cache of its own.

    Raises: ConfigError for a file that is read, or that is there and not as it was written.
    """
    from luciola.sql.asking.cache import check_cache

    output = check_output(out, inputs=read, overwrite=overwrite, signed=True)
    report_to = None
    if json_file:
        report_to = check_output(json_file, inputs=read, overwrite=overwrite, signed=True)
    if no_cache or (output.is_stream and not cache):
        check_different((output, report_to))
        return output, report_to, None
    place = Path(cache or f"{out}.answers.jsonl").expanduser()
    kept = check_output(place, inputs=read, replaces=lambda _: True, needs_file=True)
    check_different((output, report_to, kept))
    check_cache(place)
    return output, report_to, place


def _check_one_model(
    model: str,
    endpoint: str,
    name: str,
    *,
    adapter: str,
    raw: bool | None,
    trust_remote_code: bool,
    completions: bool,
    votes: int,
    databases: str,
) -> None:
    """Raises: ConfigError for flags that do not go together; ModelError for a missing model."""
    if bool(model) == bool(endpoint):
        raise ConfigError(
            "sql answer needs either --model or --endpoint",
            remedy="--model FOLDER answers on this machine, --endpoint URL --name NAME elsewhere.",
        )
    if bool(endpoint) != bool(name):
        raise ConfigError("--endpoint URL and --name NAME belong together")
    flags = {
        "--adapter": adapter,
        "--raw": raw,
        "--chat": raw is False,
        "--trust-remote-code": trust_remote_code,
    }
    elsewhere = [flag for flag, given in flags.items() if given]
    if endpoint and elsewhere:
        raise ConfigError(
            f"{' and '.join(elsewhere)} {'go' if len(elsewhere) > 1 else 'goes'} with --model, "
            "not with --endpoint",
            remedy=" ".join(AT_A_SERVER[flag] for flag in elsewhere),
        )
    if model and completions:
        raise ConfigError("--completions goes with --endpoint", remedy="Use --raw with --model.")
    if votes > 1 and not databases:
        raise ConfigError(
            "--votes needs --databases", remedy="The answers vote by what they return there."
        )
    if model:
        from luciola.cli.early import check_model

        check_model(model)


def _answered(asked: LanguageModel, prompts: list[str], sampling: Sampling) -> list[Answers]:
    """All answers, with a bar on a terminal."""
    from luciola.runs.progress import Progress

    with Progress(len(prompts), what="answering", show=sys.stderr.isatty()) as bar:
        return asked.answer(prompts, sampling, lambda done, total: bar.update(done))


@contextmanager
def _kept(place: Path | None) -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        if place is not None and place.exists():
            typer.echo(
                f"\nWhat was answered is kept in {place}; the same command goes on from there.",
                err=True,
            )
        raise
