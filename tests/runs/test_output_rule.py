"""One rule for every file that is written: not an input, not foreign, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from luciola.errors import ConfigError, StorageError
from luciola.runs.outputs import DATABASES, check_output


def test_checking_touches_nothing_and_writing_makes_the_folder(tmp_path: Path) -> None:
    output = check_output(tmp_path / "new" / "deep" / "a.txt")
    assert list(tmp_path.iterdir()) == []
    output.write("one\n")
    assert (tmp_path / "new" / "deep" / "a.txt").read_text() == "one\n"
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["a.txt"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    check_output(tmp_path / "link", overwrite=True).write("two\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.txt").read_text() == "two\n"


def test_a_file_that_appears_during_the_work_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = check_output(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("another program's")
    output.write("ours")
    assert (tmp_path / "a.txt").read_text() == "another program's"
    assert (tmp_path / "a-2.txt").read_text() == "ours"
    assert "a-2.txt" in caplog.text


def test_what_was_there_stays_where_writing_fails_or_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("before")
    output = check_output(tmp_path / "a.txt", overwrite=True)
    with pytest.raises(KeyboardInterrupt), output.opened() as file:
        file.write("half")
        raise KeyboardInterrupt

    def fail(*given: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("luciola.runs.atomic.Path.replace", fail)
        with pytest.raises(StorageError, match="cannot be written: input/output error"):
            output.write("after")
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_grows_is_there_from_its_first_line_and_replaces_no_sooner(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("before")
    with check_output(path, overwrite=True).growing() as write:
        assert path.read_text() == "before"
        write("1\n")
        assert path.read_text() == "1\n"
        write("2\n")
    assert path.read_text() == "1\n2\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("how", ["write", "grow"])
def test_a_full_device_is_a_sentence(how: str) -> None:
    output = check_output("/dev/full")
    with pytest.raises(StorageError, match="/dev/full could not be written: it is full"):
        if how == "write":
            output.write("x")
        else:
            with output.growing() as write:
                write("x")


def test_a_pipe_takes_the_content_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    check_output(pipe).write("through\n")
    reader.join(10)
    assert read == ["through\n"]
    assert pipe.is_fifo()


def test_the_standard_output_is_added_to_in_order(tmp_path: Path) -> None:
    """`> file --out /dev/stdout`: opening the device anew would overwrite what was printed."""
    code = (
        "from luciola.runs.outputs import check_output\n"
        "print('first')\n"
        "for name in ('-', '/dev/stdout', '/dev/fd/1'): check_output(name).write(name + '\\n')\n"
        "print('last')"
    )
    with (tmp_path / "out").open("w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    expected = "first\n-\n/dev/stdout\n/dev/fd/1\nlast\n"
    assert (tmp_path / "out").read_text() == expected


def test_what_needs_a_file_takes_no_stream(tmp_path: Path) -> None:
    for name in ("-", "/dev/null"):
        with pytest.raises(ConfigError, match="is no file, and one is needed"):
            check_output(name, needs_file=True)


def test_a_signed_file_is_known_again_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    check_output(path, signed=True).write("SELECT 1\n")
    check_output(path, signed=True)
    check_output(path, signed=True, inputs=[tmp_path])  # our own file in a folder that is read
    with pytest.raises(ConfigError, match="is the input"):
        check_output(path, inputs=[path], overwrite=True, signed=True)
    path.write_text("SELECT 2\n")
    with pytest.raises(ConfigError, match="is there already, or has changed since"):
        check_output(path, signed=True)


def test_of_a_folder_of_databases_only_databases_are_inputs(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.sqlite"):
        (tmp_path / name).write_text("")
    read = [(str(tmp_path), DATABASES)]
    check_output(tmp_path / "a.jsonl", inputs=read, overwrite=True)
    with pytest.raises(ConfigError, match="is one of the files read"):
        check_output(tmp_path / "a.sqlite", inputs=read, overwrite=True)
