"""What the doctor says about this machine."""

from __future__ import annotations

import pytest

from luciola.cli import doctor
from luciola.cli.main import main


def test_the_doctor_tells_versions_machine_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for part in ("Versions\n  python 3.", "torch 2.", "This machine\n  ", "CPU cores", "Extras\n"):
        assert part in said
    assert "bf16" in said


def test_a_missing_extra_comes_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda module: None if module == "wandb" else module)
    lines = list(doctor.extras())
    assert "wandb        track=wandb: missing → pip install 'luciola[wandb]'" in lines
    assert "hub          data sets from a hub: installed" in lines


def test_every_extra_of_the_package_is_known_to_the_doctor() -> None:
    from importlib.metadata import metadata

    declared = set(metadata("luciola").get_all("Provides-Extra") or [])
    assert declared - {"dev"} == set(doctor.EXTRAS)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("no-such-package",))
    assert "no-such-package MISSING → pip install luciola" in list(doctor.versions())
