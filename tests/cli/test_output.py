"""Files that commands write: a place that cannot be written is told before any work is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.cli.output import write_whole
from luciola.errors import StorageError
from small_datasets import ASKED, spider

ENDPOINT = ["--endpoint", "http://localhost:1", "--name", "m"]


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["answer", "--prompts", "p.jsonl", *ENDPOINT], "--out"),
        (["prompts", "--questions", "spider:dev"], "--out"),
        (["check", "spider:dev"], "--json"),
        (["eval", "--gold", "spider:dev", "--predictions", "a.sql"], "--json"),
        (["eval", "spider", "--pairs", "spider:dev", "--model", "smollm2-135m"], "--out"),
    ],
)
@pytest.mark.parametrize("place", ["folder", "file/below.txt"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    words: list[str], flag: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The endpoint is not asked, and the model is not loaded: either would be another error."""
    spider(Path("spider"))
    Path("folder").mkdir()
    Path("file").touch()
    Path("p.jsonl").write_text(json.dumps({"prompt": "a", "db_id": "shop"}) + "\n")
    Path("a.sql").write_text(ASKED["query"] + "\n")
    assert main(["sql", *words, flag, place]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{place} is a folder" in said.err or f"{place} cannot be written: " in said.err
    assert "Traceback" not in said.err


def test_missing_folders_are_made_and_a_link_stays_a_link(tmp_path: Path) -> None:
    """What is written through a link, such as /dev/stdout, is in the file it leads to."""
    write_whole(str(tmp_path / "new" / "a.txt"), "one\n")
    (tmp_path / "link").symlink_to(tmp_path / "new" / "a.txt")
    write_whole(str(tmp_path / "link"), "two\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new" / "a.txt").read_text() == "two\n"


def test_what_was_there_stays_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("before")

    def fail(*given: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("luciola.runs.atomic.Path.replace", fail)
    with pytest.raises(StorageError, match="cannot be written: input/output error"):
        write_whole(str(tmp_path / "a.txt"), "after")
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
