"""Answers that wait for a score, and parts whose scores are given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from luciola.types import Answered


@dataclass
class Fixed:
    """A part that gives what it was made with."""

    given: object
    waits: bool = False

    def raw(self, answered: Sequence[Answered]) -> object:
        return self.given


@pytest.fixture
def fixed() -> type[Fixed]:
    return Fixed


@pytest.fixture
def answered() -> Callable[..., list[Answered]]:
    """Answers of as many tokens as words, and one for the end."""

    def make(*answers: str, prompt: str = "Say it.", **metadata: object) -> list[Answered]:
        made = []
        for text in answers:
            tokens = (*text.split(), "<end>")
            made.append(
                Answered(
                    prompt, text, token_count=len(tokens), tokens=tokens, metadata=dict(metadata)
                )
            )
        return made

    return make


@pytest.fixture(autouse=True)
def _search_path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
