"""The command `luciola trace`, run as a user does."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.runs.metrics import Metrics
from luciola.runs.trace import TraceFile
from synthetic_trace import ppo_run


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run in runs/ with a trace of three iterations and metrics."""
    folder = tmp_path / "runs" / "ppo-polite"
    folder.mkdir(parents=True)
    for answer in ppo_run(3, prompts=2):
        TraceFile(folder / "trace.jsonl").append(answer)
    Metrics(folder / "metrics.jsonl").append(1, {"score/mean": 0.5})
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `luciola trace …`."""
    status = main(["trace", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("name", ["runs/ppo-polite", "ppo-polite", "runs/ppo-polite/trace.jsonl"])
def test_the_page_is_written_into_the_runs_folder(
    run_folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, name)
    assert (status, err) == (0, "")
    assert out.startswith("runs/ppo-polite/trace.html: 6 answers of 3 iterations, ")
    page = (run_folder / "trace.html").read_text(encoding="utf-8")
    assert "<title>Trace of ppo-polite</title>" in page
    assert '"score/mean": [[1, 0.5]]' in page


def test_another_file_can_be_named_and_opened(
    run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    status, _, _ = run(capsys, run_folder, "--out", "page.html", "--open")
    assert status == 0
    assert opened == [Path("page.html").resolve().as_uri()]
    assert Path("page.html").is_file()
    assert not (run_folder / "trace.html").exists()


def test_a_run_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "nowhere")
    assert (status, "nowhere: there is no such run" in err) == (1, True)


def test_a_run_without_trace_says_which_settings_make_one(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_folder / "trace.jsonl").unlink()
    status, _, err = run(capsys, run_folder)
    assert status == 1
    assert "this run has no trace (trace.jsonl)" in err
    assert "trace_prompts" in err
    assert "trace_every" in err


def test_an_empty_trace_is_an_error(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_folder / "trace.jsonl").write_text("")
    status, _, err = run(capsys, run_folder)
    assert (status, "the trace is empty" in err) == (1, True)


def test_a_broken_line_is_named_and_no_page_is_written(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = run_folder / "trace.jsonl"
    trace.write_text("{broken\n" + trace.read_text())
    status, _, err = run(capsys, run_folder)
    assert (status, f"{trace}:1: no JSON" in err) == (1, True)
    assert not (run_folder / "trace.html").exists()
