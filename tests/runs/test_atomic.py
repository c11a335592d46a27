"""Writes are whole or not at all: after an error, a full disk, a kill."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from luciola.errors import StorageError
from luciola.runs.atomic import clear_leftovers, replacing_folder, storage_errors, write_atomically

SMALL_DISK = """
import resource, sys
from pathlib import Path
from luciola.errors import StorageError
from luciola.runs.atomic import replacing_folder, write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # a larger file fails as on a full disk
folder = Path(sys.argv[1])
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run_python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["report.json"]


def test_on_a_full_disk_the_old_file_stays_and_the_error_says_what_was_needed(
    tmp_path: Path,
) -> None:
    (tmp_path / "report.json").write_text("old")
    code = SMALL_DISK + "write_atomically(folder / 'report.json', b'x' * 5000)"
    result = run_python(code, tmp_path)
    last = result.stderr.splitlines()[-2:]
    assert "StorageError" in last[0]
    assert "report.json could not be written" in last[0]
    assert "it needs 5,000 bytes and " in last[0]
    assert last[0].endswith(" are free")
    assert "Free some space" in last[1]
    assert (tmp_path / "report.json").read_text() == "old"
    assert names(tmp_path) == ["report.json"]


def test_on_a_full_disk_the_old_folder_stays(tmp_path: Path) -> None:
    """safetensors reports the full disk in words of its own; it is understood all the same."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("old")
    code = SMALL_DISK + (
        "import numpy; from safetensors.numpy import save_file\n"
        "with replacing_folder(folder / 'model') as temporary:\n"
        "    save_file({'w': numpy.zeros(5000)}, temporary / 'weights')\n"
    )
    result = run_python(code, tmp_path)
    assert "StorageError" in result.stderr.splitlines()[-2]
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_without_space_is_told_from_other_errors(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with (
        pytest.raises(StorageError, match="model could not be written, the disk or quota is full"),
        replacing_folder(tmp_path / "model"),
        (tmp_path / "full").open("w") as file,
    ):
        file.write("x")


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534",
        "PytorchStreamWriter failed writing file data/0: file write failed",
        "Error while serializing: I/O error: No space left on device (os error 28)",
    ],
)
def test_what_torch_and_safetensors_say_on_a_full_disk_is_understood(
    words: str, tmp_path: Path
) -> None:
    """Words seen with torch 2.13 and safetensors 0.8 on a full tmpfs."""
    with pytest.raises(StorageError), replacing_folder(tmp_path / "step-000001"):
        raise RuntimeError(words)
    assert names(tmp_path) == []


def test_another_error_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), replacing_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("half")
        raise KeyError("ours")
    assert names(tmp_path) == []


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    """Raised by hand: whoever runs the tests as root may write everywhere."""
    path = tmp_path / "report.json"
    with (
        pytest.raises(StorageError, match=r"report.json cannot be written: Permission denied"),
        storage_errors(path),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_file_on_a_read_only_disk_is_named_though_nothing_can_be_removed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_bytes", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StorageError, match=r"x.html cannot be written: Read-only file system"):
        write_atomically(tmp_path / "x.html", "page")


def test_a_folder_in_the_place_of_a_file_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "x.html").mkdir()
    with pytest.raises(StorageError, match=r"x.html cannot be written: Is a directory"):
        write_atomically(tmp_path / "x.html", "page")
    assert names(tmp_path) == ["x.html"]


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "x.html", "page")
    assert (tmp_path / "new" / "x.html").read_text() == "page"


def test_a_folder_below_a_file_is_a_mistake_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="cannot be written: Not a directory"),
        replacing_folder(tmp_path / "file" / "model"),
    ):
        pass


def test_a_folder_appears_with_all_its_files_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with replacing_folder(tmp_path / "model") as temporary:
            (temporary / "sub").mkdir()
            (temporary / "sub" / content).write_text(content)
            assert not (tmp_path / "model" / "sub" / content).exists()
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model" / "sub") == ["new"]


def test_a_killed_write_leaves_the_old_folder_and_its_rest_is_cleared(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from luciola.runs.atomic import *\n"
        "with replacing_folder(Path(sys.argv[1]) / 'model') as temporary:\n"
        "    (temporary / 'weights').write_text(sys.argv[2])\n"
        "    if sys.argv[2] == 'half': os.kill(os.getpid(), 9)\n"
    )
    assert run_python(code, tmp_path, "old").returncode == 0
    assert run_python(code, tmp_path, "half").returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    clear_leftovers(tmp_path)
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model" / "weights").read_text() == "old"


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    """The old folder has stepped aside and the new one has not arrived: the old one comes back."""
    with replacing_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("old")
    (tmp_path / "model").rename(tmp_path / ".model.replaced")
    clear_leftovers(tmp_path)
    assert (tmp_path / "model" / "weights").read_text() == "old"


def test_a_kill_after_the_renames_keeps_the_new_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "new").touch()
    shutil.copytree(tmp_path / "model", tmp_path / ".model.replaced")
    clear_leftovers(tmp_path)
    assert names(tmp_path) == ["model"]
    clear_leftovers(tmp_path / "nowhere")
