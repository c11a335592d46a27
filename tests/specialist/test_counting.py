"""Whose tokens are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.errors import ConfigError
from luciola.specialist.counting import counter
from support import build_tokenizer


def test_a_bundled_model_is_named_as_everywhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name means its folder, and is no encoding of tiktoken's."""
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.setattr("luciola.models.source._bundled", lambda name, progress: tmp_path)
    text = "SELECT count(*) FROM shop"
    expected = len(tokenizer.encode(text, add_special_tokens=False))
    assert counter("smollm2-135m")(text) == counter(str(tmp_path))(text) == expected
    with pytest.raises(ConfigError, match="there is no tokenizer"):
        counter("./smollm2-135m")
