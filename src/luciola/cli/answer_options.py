"""The options of `luciola sql answer`, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from luciola.cli.flags import Device, Overwrite


@dataclass(frozen=True)
class FileOptions:
    """What is read and written."""

    prompts: Annotated[str, typer.Option("--prompts", help="Rows with prompt and db_id, JSONL.")]
    out: Annotated[
        str,
        typer.Option("--out", help="Write one SQL a line here; to NAME.json, BIRD's JSON."),
    ]
    bird: Annotated[
        bool | None,
        typer.Option("--bird/--no-bird", help="Write BIRD's JSON or lines, whatever OUT's name."),
    ] = None
    original: Annotated[
        bool, typer.Option("--original", help="Read answers as the published code does.")
    ] = False
    json_file: Annotated[str, typer.Option("--json", help="Report with all answers.")] = ""
    cache: Annotated[
        str, typer.Option("--cache", help="Keep answers here; default OUT.answers.jsonl.")
    ] = ""
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no answers, use none.")] = False
    overwrite: Overwrite = False


@dataclass(frozen=True)
class LocalOptions:
    """A model on this machine."""

    model: Annotated[
        str, typer.Option("--model", "-m", help="Bundled name, folder or hub id; answers here.")
    ] = ""
    adapter: Annotated[
        str, typer.Option("--adapter", help="With --model: folder of an adapter for it.")
    ] = ""
    raw: Annotated[
        bool | None,
        typer.Option(
            "--raw/--chat",
            help="With --model: continue the prompt, or chat; default: as it was trained.",
        ),
    ] = None
    device: Device = "auto"
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="With --model: run its own Python code."),
    ] = False


@dataclass(frozen=True)
class ServerOptions:
    """A model behind a server."""

    endpoint: Annotated[
        str, typer.Option("--endpoint", help="OpenAI-compatible server, e.g. http://HOST:8000/v1.")
    ] = ""
    name: Annotated[str, typer.Option("--name", help="The server's name for its model.")] = ""
    completions: Annotated[
        bool, typer.Option("--completions", help="With --endpoint: use /completions, not a chat.")
    ] = False
    key_variable: Annotated[
        str, typer.Option("--key-variable", help="Environment variable that holds the key.")
    ] = "OPENAI_API_KEY"
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help="Requests at the same time.")
    ] = 8
    tries: Annotated[int, typer.Option("--tries", min=1, help="Attempts per request.")] = 6
    patience: Annotated[
        float, typer.Option("--patience", min=0.01, help="Seconds that a request may take.")
    ] = 120.0
    requests_per_minute: Annotated[
        float, typer.Option("--requests-per-minute", min=0, help="0: no limit.")
    ] = 0
    tokens_per_minute: Annotated[
        float, typer.Option("--tokens-per-minute", min=0, help="Read and written; 0: no limit.")
    ] = 0
    price_in: Annotated[
        float, typer.Option("--price-in", min=0, help="Price of a million tokens read.")
    ] = 0
    price_out: Annotated[
        float, typer.Option("--price-out", min=0, help="Price of a million tokens written.")
    ] = 0


@dataclass(frozen=True)
class SamplingOptions:
    """How answers are drawn, and how several of them become one."""

    votes: Annotated[
        int, typer.Option("--votes", min=1, help="Answers per question; the majority result wins.")
    ] = 1
    databases: Annotated[
        str, typer.Option("--databases", help="With --votes: folder of ID/ID.sqlite files.")
    ] = ""
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.01, help="With --votes: seconds per query.")
    ] = 5.0
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, help="Default 0; with --votes 1.")
    ] = None
    top_p: Annotated[
        float, typer.Option("--top-p", min=0.01, max=1, help="Draw from this probability mass.")
    ] = 1.0
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Per answer.")] = 200
    seed: Annotated[int, typer.Option("--seed", help="For drawing answers.")] = 0

    @property
    def heat(self) -> float:
        """The temperature: several answers need one above 0."""
        return float(self.votes > 1) if self.temperature is None else self.temperature

    @property
    def voting(self) -> str:
        """The folder of databases on which answers vote; "" where none do."""
        return self.databases if self.votes > 1 else ""
