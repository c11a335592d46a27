"""A study whose process is killed: what was answered is on disk, and is not asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from luciola.config.study import StudyConfig
from luciola.config.write import to_yaml
from luciola.specialist.study.running import run
from luciola.specialist.study.study import Study

ANSWERED = 8
"""Prompts before the kill: all six of the first point, and two of the second."""


class Server:
    """Answers so many prompts, and then keeps whoever asks waiting until `open` is set."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.held, self.open = threading.Event(), threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.prompts.append(body["messages"][0]["content"])
                if len(server.prompts) > ANSWERED and not server.open.is_set():
                    server.held.set()
                    server.open.wait(60)
                choice = {"message": {"content": "SELECT count(*) FROM keeper"}}
                with suppress(OSError):  # whoever asked is dead
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(json.dumps({"choices": [choice]}).encode())

            def log_message(self, *arguments: object) -> None: ...

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.open.set()
    server.http.shutdown()
    server.http.server_close()


def test_after_sigkill_the_same_command_asks_only_what_is_missing(
    study_of: Callable[..., StudyConfig],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twelve prompts in all; the one that was under way is the only one asked twice."""
    config = study_of(models=[{"model": "m", "url": server.url}], concurrency=1)
    grid = tmp_path / "grid.yaml"
    grid.write_text(to_yaml(config))
    command = [sys.executable, "-m", "luciola", "sql", "ablate", str(grid)]
    child = subprocess.Popen(command, cwd=tmp_path, stdout=-3, stderr=-3)
    assert server.held.wait(60)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert [result.point.way for result in Study(config).results()] == ["TR_P"]
    kept = Path(config.out, "answers", "m.jsonl").read_text().splitlines()
    assert len(kept) == ANSWERED

    server.open.set()
    monkeypatch.setattr("luciola.specialist.study.report._draw", lambda *given: set())
    assert "2 of 2 points" in run(config, show=False)
    under_way = server.prompts[ANSWERED]
    assert server.prompts.count(under_way) == 2
    assert len(server.prompts) == 13
    assert len(set(server.prompts)) == 12
