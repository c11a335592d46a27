"""What a model's name means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ModelError
from luciola.models.source import resolve


def test_a_folder_and_a_runs_folder_are_found(folder: Path, tmp_path: Path) -> None:
    assert resolve(folder).path == folder
    run = tmp_path / "run"
    run.mkdir()
    folder.rename(run / "model")
    assert resolve(str(run)).path == run / "model"


def test_a_gguf_file_is_known_by_its_content_and_alone_in_a_folder_by_its_folder(
    tmp_path: Path,
) -> None:
    file = tmp_path / "some.gguf"
    file.write_bytes(b"GGUF and so on")
    assert resolve(file) == resolve(tmp_path)
    assert (resolve(file).kind, resolve(file).gguf_file) == ("gguf", "some.gguf")
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"several GGUF files: other.gguf, some.gguf"):
        resolve(tmp_path)


@pytest.mark.parametrize(
    "name", ["./nothing", "/no/such/folder", "a/b/c", "runs/typo", "nothing.gguf", "", "~/nothing"]
)
def test_a_missing_folder_is_called_a_missing_folder(name: str, tmp_path: Path) -> None:
    """Never an invalid hub id, and never asked of the hub; `runs` is a folder here."""
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match="no such file or folder"):
        resolve(name)


@pytest.mark.parametrize("name", ["gpt2", "owner/name", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_other_names_are_hub_ids(name: str, offline: list[Any]) -> None:
    source = resolve(name)
    assert (source.location, source.kind, source.is_local) == (name, "hub", False)
    assert not offline


def test_a_misspelt_bundled_name_is_recognised() -> None:
    with pytest.raises(ModelError, match="Did you mean smollm2-135m"):
        resolve("./smolm2-135m")


def test_a_folder_without_a_model_says_what_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config.json, no adapter_config.json and no GGUF"):
        resolve(tmp_path)


def test_a_file_that_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"12345678")
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ModelError, match="does not begin with the letters GGUF"):
        resolve(tmp_path / "page.gguf")
    with pytest.raises(ModelError, match="not a GGUF file"):
        resolve(file)
