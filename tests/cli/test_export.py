"""`luciola export`: what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_model


def test_the_figures_of_the_check_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = write_model(tmp_path / "m"), tmp_path / "m.gguf"
    assert main(["export", str(folder), "--gguf", str(file), "--type", "q8_0"]) == 0
    size, figures, logits, tokens, ollama = capsys.readouterr().out.splitlines()
    assert size.endswith("m.gguf: 0.0 MB")
    assert figures.startswith("before and after: KL ")
    assert "noise of the rounding's size moves them by" in logits
    assert tokens == "tokens of the probe: the same"
    assert ollama.endswith("m.Modelfile")
    assert (tmp_path / "m.Modelfile").read_text().startswith("FROM ./m.gguf\n")
