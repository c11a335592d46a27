"""A model's folder, and a machine without a network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from models_on_disk import build_tokenizer
from support import build_llama


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as save_pretrained writes it, tokenizer included."""
    path = tmp_path / "saved"
    build_llama(attention="sdpa").save_pretrained(path)
    build_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No connection can be made; whoever asked for one is in the list."""
    asked: list[Any] = []

    def refuse(*address: Any, **_: Any) -> Any:
        asked.append(address)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return asked
