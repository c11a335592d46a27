"""`luciola sql answer`: let a model answer a file of prompts, one SQL a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.cli.answer_options import FileOptions, LocalOptions, SamplingOptions, ServerOptions
from luciola.cli.grouped import grouped
from luciola.cli.terminal import say
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


@grouped
def answer(
    files: FileOptions, local: LocalOptions, server: ServerOptions, drawn: SamplingOptions
) -> None:
    """Let a model answer prompts of `luciola sql prompts`: one SQL a line, in their order.

    luciola sql answer --prompts prompts.jsonl --model smollm2-135m --out predictions.sql

    The same command continues where it stopped, and replaces only what it wrote itself.
    """
    from luciola.cli.answers import decided, read_prompts, report, told
    from luciola.cli.predictions import of_bird, of_lines
    from luciola.sql.asking.costs import Prices

    _check_one_model(local, server, drawn)
    as_bird = files.out.endswith(".json") if files.bird is None else files.bird
    read = (files.prompts, (drawn.databases, DATABASES), local.model, local.adapter)
    output, json_output, place = _outputs(files, read)
    rows = read_prompts(files.prompts, drawn.voting, needs_database=as_bird)
    asked, goes_on = _model(local, server, place)
    sampling = _sampling(drawn, goes_on=goes_on)
    began = time.perf_counter()
    with _kept(place):
        answers = _answered(asked, [row.prompt for row in rows], sampling)
    seconds = time.perf_counter() - began
    chosen = decided(
        rows, answers, drawn.databases, original=files.original, timeout_s=drawn.timeout
    )
    sqls = [one.sql for one in chosen]
    output.write(of_bird(rows, sqls) if as_bird else of_lines(sqls))
    prices = Prices(server.price_in, server.price_out)
    if json_output:
        report(json_output, asked.name, sampling, rows, answers, chosen, prices, seconds)
    on_stderr = output.is_stdout or bool(json_output and json_output.is_stdout)
    for line in told(files.out, answers, chosen, prices, seconds, max_tokens=drawn.max_tokens):
        say(line, err=on_stderr)


def _model(
    local: LocalOptions, server: ServerOptions, place: Path | None
) -> tuple[LanguageModel, bool]:
    """The model that is asked, and whether it goes on from a prompt rather than chats."""
    if server.endpoint:
        from luciola.sql.asking.endpoint import Endpoint

        asked = Endpoint(
            server.endpoint,
            server.name,
            key_variable=server.key_variable,
            chat=not server.completions,
            concurrency=server.concurrency,
            tries=server.tries,
            timeout_s=server.patience,
            requests_per_minute=server.requests_per_minute or None,
            tokens_per_minute=server.tokens_per_minute or None,
            cache=place,
        )
        return asked, server.completions
    from luciola.specialist.local import LocalModel

    found = LocalModel(
        local.model,
        device=local.device,
        adapter=local.adapter or None,
        raw=local.raw,
        cache=place,
        trust_remote_code=local.trust_remote_code,
    )
    return found, found.raw


def _sampling(drawn: SamplingOptions, *, goes_on: bool) -> Sampling:
    from luciola.sql.asking.model import Sampling

    stop = ENDS if goes_on else ()
    return Sampling(drawn.votes, drawn.heat, drawn.top_p, drawn.max_tokens, stop, drawn.seed)


def _outputs(
    files: FileOptions, read: Sequence[Input]
) -> tuple[Output, Output | None, Path | None]:
    """Where the lines, the report and the kept answers go.

    What this command wrote to the first two before is replaced; the third is added to. A stream
    has no cache of its own.

    Raises: ConfigError for a file that is read, or that is there and not as it was written.
    """
    from luciola.sql.asking.cache import check_cache

    overwrite = files.overwrite
    output = check_output(files.out, inputs=read, overwrite=overwrite, signed=True)
    report_to = None
    if files.json_file:
        report_to = check_output(files.json_file, inputs=read, overwrite=overwrite, signed=True)
    if files.no_cache or (output.is_stream and not files.cache):
        check_different((output, report_to))
        return output, report_to, None
    place = Path(files.cache or f"{files.out}.answers.jsonl").expanduser()
    kept = check_output(place, inputs=read, replaces=lambda _: True, needs_file=True)
    check_different((output, report_to, kept))
    check_cache(place)
    return output, report_to, place


def _check_one_model(local: LocalOptions, server: ServerOptions, drawn: SamplingOptions) -> None:
    """Raises: ConfigError for flags that do not go together; ModelError for a missing model."""
    if bool(local.model) == bool(server.endpoint):
        raise ConfigError(
            "sql answer needs either --model or --endpoint",
            remedy="--model FOLDER answers on this machine, --endpoint URL --name NAME elsewhere.",
        )
    if bool(server.endpoint) != bool(server.name):
        raise ConfigError("--endpoint URL and --name NAME belong together")
    flags = {
        "--adapter": local.adapter,
        "--raw": local.raw,
        "--chat": local.raw is False,
        "--trust-remote-code": local.trust_remote_code,
    }
    elsewhere = [flag for flag, given in flags.items() if given]
    if server.endpoint and elsewhere:
        raise ConfigError(
            f"{' and '.join(elsewhere)} {'go' if len(elsewhere) > 1 else 'goes'} with --model, "
            "not with --endpoint",
            remedy=" ".join(AT_A_SERVER[flag] for flag in elsewhere),
        )
    if local.model and server.completions:
        raise ConfigError("--completions goes with --endpoint", remedy="Use --raw with --model.")
    if drawn.votes > 1 and not drawn.databases:
        raise ConfigError(
            "--votes needs --databases", remedy="The answers vote by what they return there."
        )
    if local.model:
        from luciola.cli.early import check_model

        check_model(local.model)


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
            say(
                f"\nWhat was answered is kept in {place}; the same command goes on from there.",
                err=True,
            )
        raise
