"""A tiny database, and a tokenizer that treats blanks as real ones do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from luciola.conversation.render import Renderer
from support import CHAT_TEMPLATE, write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop.db")


@pytest.fixture
def renderer() -> Renderer:
    """Of a tokenizer over all bytes that makes a blank part of the letter `c` behind it."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: index for index, word in enumerate([*letters, "Ġc", "<end>"])}
    words = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ġ", "c")]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")
    tokenizer.chat_template = CHAT_TEMPLATE
    return Renderer(tokenizer)
