"""Files that commands write: never onto an input, never over a foreign file, told before the work.

Every option that names a file to write is in COMMANDS; one that is not there fails the first test.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from luciola.cli.main import VERBS, app, main
from small_datasets import spider

ENDPOINT = "--endpoint http://localhost:1 --name m"
COMMANDS = {
    ("sql prompts", "--out"): "sql prompts --questions rows.jsonl --databases dbs --out OUT",
    ("sql answer", "--out"): f"sql answer --prompts rows.jsonl {ENDPOINT} --out OUT",
    ("sql answer", "--json"): f"sql answer --prompts rows.jsonl {ENDPOINT} --out y --json OUT",
    ("sql answer", "--cache"): f"sql answer --prompts rows.jsonl {ENDPOINT} --out y --cache OUT",
    ("sql eval", "--out"): "sql eval shop.db --pairs rows.jsonl --model m --out OUT",
    ("sql eval", "--json"): "sql eval --gold rows.jsonl --predictions a --databases d --json OUT",
    ("sql eval", "--report"): "sql eval shop.db --pairs rows.jsonl --model m --report OUT",
    ("sql check", "--json"): "sql check rows.jsonl --json OUT",
    ("score", "--out"): "score m rows.jsonl --out OUT",
    ("chat", "--out"): "chat m --file rows.jsonl --out OUT",
    ("data convert", "OUT"): "data convert rows.jsonl OUT",
    ("export", "--gguf"): "export rows.jsonl --gguf OUT",
    ("trace", "--out"): "trace rows.jsonl --out OUT",
}
"""A command line for each option that names a file; it reads rows.jsonl."""
FOLDERS = {("merge", "OUT"), ("demo", "--out"), ("sql prompts", "--embeddings")}
"""What names a folder: tested where the folder's kind is known."""
WITHOUT_OVERWRITE = {("sql answer", "--cache")}
"""What is added to, and never replaced."""
NAMES = re.compile(r"--(out|json|gguf|cache|save|output|report|log|write|file-out|embeddings)\b")
WRITES = re.compile(r"\b(write|writes|written|keep|kept|save|store)\b", re.IGNORECASE)
NOT_FILES = {
    ("sql answer", "--price-out"),
    ("sql answer", "--tokens-per-minute"),
}


def walked(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group, by its words."""
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for child in command.list_commands(context):
            yield from walked(command.get_command(context, child), f"{name} {child}".strip())
    else:
        yield name, command


def outputs() -> Iterator[tuple[str, str]]:
    """What takes a value and is named, or described, as something that is written."""
    for name, command in walked(typer.main.get_command(app)):
        for parameter in command.params:
            option = max(parameter.opts, key=len)
            argument = parameter.param_type_name == "argument"
            shown = option.upper() if argument else option
            is_flag = getattr(parameter, "is_flag", False)
            help_ = getattr(parameter, "help", "") or ""
            is_named = NAMES.fullmatch(option) or (argument and option == "out")
            if not is_flag and (is_named or WRITES.search(help_)):
                yield name, shown


def test_every_option_that_names_something_to_write_is_tested_here() -> None:
    """A new command with an output must be added to COMMANDS, and then passes the tests below."""
    assert {command.split()[0] for command, _ in COMMANDS} <= set(VERBS)
    found = set(outputs()) - NOT_FILES
    assert found == set(COMMANDS) | FOLDERS


@pytest.fixture
def inputs() -> Path:
    """The file that every command reads."""
    Path("rows.jsonl").write_text(json.dumps({"prompt": "a", "db_id": "shop"}) + "\n")
    sqlite3.connect("shop.db").execute("CREATE TABLE t (a)").connection.close()
    return Path("rows.jsonl")


def refused(key: tuple[str, str], out: str, capsys: Any, *flags: str) -> str:
    words = [out if word == "OUT" else word for word in COMMANDS[key].split()]
    assert main([*words, *flags]) in (1, 2)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.out == ""
    return str(said.err)


@pytest.mark.parametrize("key", list(COMMANDS), ids=" ".join)
@pytest.mark.parametrize("kind", ["same", "dotted", "symbolic", "hard"])
def test_no_command_writes_onto_what_it_reads_by_whatever_name(
    key: tuple[str, str], kind: str, inputs: Path, capsys: Any
) -> None:
    """Not with --overwrite either; the model `m` is not even looked for."""
    before = inputs.read_bytes()
    name = {"same": "rows.jsonl", "dotted": "./x/../rows.jsonl"}.get(kind, "link.jsonl")
    Path("x").mkdir()
    if kind == "symbolic":
        Path(name).symlink_to("rows.jsonl")
    if kind == "hard":
        os.link("rows.jsonl", name)
    flags = [] if key in WITHOUT_OVERWRITE else ["--overwrite"]
    said = refused(key, name, capsys, *flags)
    assert "is the input" in said or "is one of the files read" in said
    assert inputs.read_bytes() == before
    assert sorted(path.name for path in Path().iterdir() if path.name != "link.jsonl") == [
        "rows.jsonl",
        "shop.db",
        "x",
    ]


@pytest.mark.parametrize("key", list(COMMANDS), ids=" ".join)
def test_no_command_replaces_a_foreign_file_unasked(
    key: tuple[str, str], inputs: Path, capsys: Any
) -> None:
    Path("mine.txt").write_text("my thesis\n")
    said = refused(key, "mine.txt", capsys)
    assert "mine.txt is there already" in said or "mine.txt is no cache of answers" in said
    assert key in WITHOUT_OVERWRITE or "--overwrite" in said
    assert Path("mine.txt").read_text() == "my thesis\n"


@pytest.mark.parametrize("key", list(COMMANDS), ids=" ".join)
@pytest.mark.parametrize("place", ["folder", "file/below.txt", "a" * 300])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    key: tuple[str, str], place: str, inputs: Path, capsys: Any
) -> None:
    """The endpoint is not asked, and the model is not loaded: either would be another error."""
    Path("folder").mkdir()
    Path("file").touch()
    said = refused(key, place, capsys)
    assert f"{place} is a folder" in said or f"{place} cannot be written: " in said


def test_a_database_is_not_turned_into_answers(inputs: Path, capsys: Any) -> None:
    before = Path("shop.db").read_bytes()
    line = "sql eval shop.db --pairs rows.jsonl --model m --limit 1 --out"
    for name in ("shop.db", "./shop.db"):
        assert main([*line.split(), name, "--overwrite"]) == 2
        assert "is the input" in capsys.readouterr().err
    assert main([*line.replace("shop.db", "sqlite:///shop.db", 1).split(), "shop.db"]) == 2
    assert Path("shop.db").read_bytes() == before


def test_what_a_dataset_folder_holds_is_read_and_stays(capsys: Any) -> None:
    spider(Path("spider"))
    for name in ("spider/dev.json", "spider/tables.json"):
        before = Path(name).read_bytes()
        words = ["sql", "prompts", "--questions", "spider:dev", "--out", name, "--overwrite"]
        assert main(words) == 2
        assert "is one of the files read" in capsys.readouterr().err
        assert Path(name).read_bytes() == before


def test_two_outputs_of_a_command_are_two_files(inputs: Path, capsys: Any) -> None:
    for flags in ("--json x", "--cache x", "--json x.answers.jsonl"):
        line = f"sql answer --prompts rows.jsonl {ENDPOINT} --out x {flags}"
        assert main(line.split()) == 2
        assert "is named for two outputs" in capsys.readouterr().err


def test_prompts_go_to_the_standard_output_alone(capsys: Any) -> None:
    """`--out -` in a pipe: JSON lines and nothing else; what is told goes to stderr."""
    spider(Path("spider"))
    for name in ("-", "/dev/stdout"):
        assert main(["sql", "prompts", "--questions", "spider:dev", "--out", name]) == 0
        said = capsys.readouterr()
        rows = [json.loads(line) for line in said.out.splitlines()]
        assert "SELECT" in rows[0]["prompt"]
        assert "in " + name in said.err
    assert not Path("-").exists()


def test_a_command_replaces_its_own_answers_but_not_corrected_ones(
    server_of_echoes: str, capsys: Any
) -> None:
    """What `sql answer` wrote is known again by its content; a changed line makes it foreign."""
    Path("rows.jsonl").write_text(json.dumps({"prompt": "SELECT 1", "db_id": "shop"}) + "\n")
    line = f"sql answer --prompts rows.jsonl --endpoint {server_of_echoes} --name m --out a.sql"
    assert main(line.split()) == 0
    assert main(line.split()) == 0
    Path("a.sql").write_text("SELECT 2 -- corrected\n")
    capsys.readouterr()
    assert main(line.split()) == 2
    assert "a.sql is there already, or has changed since" in capsys.readouterr().err
    assert "corrected" in Path("a.sql").read_text()
    assert main([*line.split(), "--overwrite"]) == 0
    assert "corrected" not in Path("a.sql").read_text()


@pytest.fixture
def server_of_echoes() -> Iterator[str]:
    """An OpenAI-compatible server that answers with the prompt."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = body["messages"][-1]["content"]
            usage = {"prompt_tokens": 1, "completion_tokens": 1}
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            answer = json.dumps({"choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()
