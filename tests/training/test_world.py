"""The processes of a run, as the environment speaks of them."""

from __future__ import annotations

import pytest

from luciola.errors import ConfigError
from luciola.training.world import LAUNCHED, World, check_launch


def test_a_world_size_without_a_launcher_is_refused() -> None:
    """Left over from another job, it would end in a trace of accelerate's, or in waiting."""
    with pytest.raises(ConfigError, match="WORLD_SIZE=2 is set, but RANK, LOCAL_RANK, MASTER_ADDR"):
        check_launch({"WORLD_SIZE": "2"})
    check_launch({})
    check_launch({"WORLD_SIZE": "1"})
    check_launch({"WORLD_SIZE": "2"} | dict.fromkeys(LAUNCHED, "0"))


def test_a_launcher_that_starts_one_process_is_not_passed_over_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`accelerate launch --cpu --num_processes 2` does that."""
    world = World("cpu")
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    assert world.notes == ()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert "has started one process" in world.notes[0]
    assert "torchrun --nproc_per_node" in world.notes[0]
