"""A tiny model's folder and a file of chats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models_on_disk import build_tokenizer
from support import build_llama

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def write_model(folder: Path) -> Path:
    """A two-layer model and its tokenizer, as save_pretrained writes them."""
    build_llama(attention="sdpa").save_pretrained(str(folder))
    tokenizer = build_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(folder))
    return folder


def write_chats(path: Path, rows: int = 24) -> Path:
    """Chats whose answers follow from their questions."""
    lines = []
    for number in range(rows):
        question, reply = f"what is {number}+{number % 5}?", str(number + number % 5)
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
        lines.append(json.dumps({"messages": turns}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write_chats(tmp_path / "chats.jsonl")
