"""Trackers: only those asked for, with a clear word where a package is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from luciola.errors import ConfigError, MissingExtraError
from luciola.runs.trackers import open_trackers, wandb_mode


def test_no_tracker_is_opened_unless_asked(tmp_path: Path) -> None:
    assert open_trackers((), tmp_path, {}) == []
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_reads_back_what_was_tracked(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tracker,) = open_trackers(["tensorboard"], tmp_path, {})
    tracker.log(1, {"loss": 2.0, "eval/loss": 3.0})
    tracker.log(2, {"loss": 1.0, "note": "words are left out"})
    tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 2.0), (2, 1.0)]
    assert set(events.Tags()["scalars"]) == {"loss", "eval/loss"}


@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_a_missing_package_names_its_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Absent(name), *sys.meta_path])
    with pytest.raises(MissingExtraError) as caught:
        open_trackers([name], tmp_path, {})
    assert str(caught.value) == (
        f"track={name} needs the package {name!r}, which is not installed\n"
        f"  → pip install 'luciola[{name}]'"
    )


class Absent:
    """An import hook for which a package is not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, module: str, *_: object) -> None:
        if module.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {self.name!r}", name=self.name)


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no tracker 'mlflow', only tensorboard, wandb"):
        open_trackers(["mlflow"], tmp_path, {})


@pytest.mark.parametrize(
    ("mode", "key", "wanted"),
    [(None, None, "offline"), (None, "k", "online"), ("disabled", "k", "disabled")],
)
def test_wandb_stays_offline_unless_asked(
    mode: str | None, key: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WANDB_MODE", mode), ("WANDB_API_KEY", key)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert wandb_mode() == wanted
