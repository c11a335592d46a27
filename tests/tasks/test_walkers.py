"""The models of the random walks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from luciola.errors import ConfigError, ModelError, StorageError
from luciola.models.load import load_model, load_tokenizer
from luciola.models.source import resolve
from luciola.tasks import randomwalks, walkers

NAME = "luciola.tasks.randomwalks:untrained_model"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUCIOLA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_untrained_model_loads_by_its_name_and_is_made_once(home: Path) -> None:
    model: Any = load_model(NAME)
    assert (model.config.n_layer, model.config.n_embd, model.config.vocab_size) == (6, 144, 23)
    tokenizer = load_tokenizer(NAME)
    ids = tokenizer("bda|</s>", add_special_tokens=False)["input_ids"]
    assert ids == [1, 3, 0, 21, 22]
    assert tokenizer.eos_token_id == 22
    assert tokenizer.decode([1, 3, 0, 22], skip_special_tokens=True) == "bda"
    made = randomwalks.untrained_model()
    before = (made / "model.safetensors").stat().st_mtime_ns
    assert (randomwalks.untrained_model(), resolve(NAME).path) == (made, made)
    assert (made / "model.safetensors").stat().st_mtime_ns == before
    assert [path.name for path in (home / "models").iterdir()] == [made.name]


def test_another_process_that_is_faster_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = walkers._save

    def overtaken(model: Any, folder: Path) -> None:
        plain(model, folder)
        other = folder.parent / f"randomwalks-untrained-v{walkers.VERSION}"
        other.mkdir()
        (other / "config.json").write_text("of the other process")

    monkeypatch.setattr(walkers, "_save", overtaken)
    folder = randomwalks.untrained_model()
    assert (folder / "config.json").read_text() == "of the other process"
    assert len(list(folder.parent.iterdir())) == 1


def test_a_failure_leaves_nothing_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: Any, folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(walkers, "_save", full)
    with pytest.raises(StorageError, match="disk or quota is full"):
        randomwalks.untrained_model()
    assert not list((home / "models").iterdir())


def test_cloning_lowers_the_loss_and_follows_from_nothing_but_the_walks() -> None:
    """One epoch over 300 walks: ln 23 = 3.14 at first; twice the same to the bit."""
    walks = randomwalks.graph().walks[:300]
    first, second = walkers._random_model(), walkers._random_model()
    state = torch.get_rng_state()
    loss = walkers.imitate(first, walks, epochs=2)
    assert torch.equal(torch.get_rng_state(), state), "a run's own noise is left alone"
    assert loss < 2.9
    torch.manual_seed(5)
    assert walkers.imitate(second, walks, epochs=2) == loss
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_cloned_model_is_the_trained_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkers, "EPOCHS", 0)
    cloned, untrained = load_model(str(randomwalks.cloned_model())), load_model(NAME)
    names = [name for name, _ in cloned.named_parameters()]
    assert names
    assert os.fspath(randomwalks.cloned_model()).endswith(f"randomwalks-cloned-v{walkers.VERSION}")
    assert all(
        torch.equal(cloned.get_parameter(name), untrained.get_parameter(name)) for name in names
    )


def test_a_function_of_a_file_names_a_model(tmp_path: Path) -> None:
    folder = randomwalks.untrained_model()
    file = tmp_path / "mine.py"
    file.write_text(f"def model():\n    return {str(folder)!r}\n\nnothing = 7\n")
    assert resolve(f"{file}:model").path == folder
    with pytest.raises(ModelError, match="gave no folder but 7"):
        resolve(f"{file}:nothing")
    with pytest.raises(ConfigError, match="Did you mean model"):
        resolve(f"{file}:modle")
