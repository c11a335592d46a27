"""Fixtures that tests of several packages share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from luciola.types import Origin, Tokens
from support import VOCABULARY, build_llama


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a GPU say so where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no GPU here"))


@pytest.fixture
def llama() -> LlamaForCausalLM:
    """A fresh tiny model."""
    return build_llama()


@pytest.fixture
def samples() -> Callable[..., list[Tokens]]:
    """Random examples that begin with the same `prefix` tokens; about half of the rest is
    trained.
    """

    def make(lengths: list[int], *, prefix: int = 0, seed: int = 0) -> list[Tokens]:
        random = np.random.default_rng(seed)
        shared = random.integers(3, VOCABULARY, prefix)
        made = []
        for number, length in enumerate(lengths):
            ids = random.integers(3, VOCABULARY, length)
            ids[:prefix] = shared[: min(prefix, length)]
            trained = random.random(length) < 0.5
            trained[: max(prefix, 1)] = False
            trained[-1] = True
            origin = Origin("made.jsonl", number + 1)
            made.append(Tokens(ids.astype(np.int32), trained, origin, prefix))
        return made

    return make


@pytest.fixture(autouse=True)
def _home_for_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test runs without `out=`, or keeps for another time, lands in its own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
