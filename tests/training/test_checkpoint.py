"""Which checkpoints stay."""

from __future__ import annotations

from pathlib import Path

from luciola.training.checkpoint import latest, prune


def test_the_newest_stay_also_beyond_a_million_steps(tmp_path: Path) -> None:
    """By number: as text, 1000000 comes before 999999."""
    for step in (999_998, 999_999, 1_000_000):
        (tmp_path / f"step-{step:06d}").mkdir()
    (tmp_path / "notes").mkdir()
    prune(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"step-999999", "step-1000000", "notes"}
    prune(tmp_path, 1)
    assert latest(tmp_path) == tmp_path / "step-1000000"
