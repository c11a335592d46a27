"""A tiny database."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.db")
