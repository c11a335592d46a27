"""The folder of a model that can be exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import write_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder of a two-layer Llama with tied embeddings."""
    return write_model(tmp_path / "saved")
