"""A model on disk, and one that answers what it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from luciola.chat.reply import Reply, Tell
from luciola.chat.session import Session
from luciola.chat.settings import ChatSettings
from luciola.errors import ConfigError
from luciola.types import Message
from support import write_model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, random weights, a context of 256 tokens, a chat template."""
    return write_model(tmp_path_factory.mktemp("chat") / "model")


class Echo:
    """Answers with the number of turns and the last of them; remembers what it was asked."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.seen: list[tuple[Message, ...]] = []
        self.finish = "end"
        self.error: BaseException | None = None

    def check(self, settings: ChatSettings) -> None:
        if settings.beta:
            raise ConfigError("no heads here")

    def answer(
        self,
        messages: Sequence[Message],
        settings: ChatSettings,
        *,
        seed: int = 0,
        tell: Tell | None = None,
    ) -> Reply:
        self.seeds.append(seed)
        self.seen.append(tuple(messages))
        if self.error is not None:
            raise self.error
        text = "" if self.finish == "interrupted" else f"{len(messages)} {messages[-1].content}"
        if tell is not None:
            tell(text)
        return Reply(text, 3, self.finish, 1.0)

    def answer_all(
        self,
        conversations: Sequence[Sequence[Message]],
        settings: ChatSettings,
        *,
        first: int = 0,
    ) -> list[Reply]:
        return [
            Reply(f"{first + i} {turns[-1].content}", 3, "end", 0.5)
            for i, turns in enumerate(conversations)
        ]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def session(echo: Echo) -> Session:
    return Session(echo, ChatSettings())
