"""The demo's training: a few minutes of many small steps on two cores."""

from __future__ import annotations

from pathlib import Path

from luciola.config.load import from_mapping
from luciola.config.sql import SqlConfig
from luciola.demo.pairs import TRAIN_FILE


def recipe(database: Path, *, model: str, out: Path, device: str = "auto") -> SqlConfig:
    """What the demo trains; each figure was measured, see docs/benchmarks.md.

    Raises: ConfigError if there is no such device.
    """
    settings = {
        "model": model,
        "database": str(database),
        "pairs": str(TRAIN_FILE),
        "out": str(out),
        "device": device,
        "epochs": 3,
        "batch": 8,
        "lr": 1e-3,
        "save_every": 50,
    }
    return from_mapping(SqlConfig, settings, "demo")
