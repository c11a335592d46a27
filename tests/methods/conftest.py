"""A tiny model's folder and a file of chats."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import write_chats, write_model


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write_chats(tmp_path / "chats.jsonl")
