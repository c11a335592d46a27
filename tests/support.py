"""Small real models, built in code, that tests of several packages share."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 97


def build_llama(
    *,
    attention: str = "luciola",
    seed: int = 0,
    layers: int = 2,
    sharpness: float = 8,
    context: int = 256,
    width: int = 32,
) -> LlamaForCausalLM:
    """A random Llama with grouped heads and tied embeddings, float32."""
    from luciola.models.attention import register

    register()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        attn_implementation=attention,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # sharp enough that a leak shows
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(sharpness)
    return model


TEMPLATE = "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>{% endfor %}"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer over printable ASCII, with an end token and a chat template."""
    printable = sorted(pre_tokenizers.ByteLevel.alphabet())[: VOCABULARY - 3]
    vocabulary = {word: index for index, word in enumerate([*printable, "Ġ", "se"])}
    vocabulary["<end>"] = len(vocabulary)
    words = Tokenizer(models.BPE(vocab=vocabulary, merges=[("s", "e")]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def write_model(folder: Path, *, context: int = 256, width: int = 32) -> Path:
    """A two-layer model and its tokenizer, as save_pretrained writes them."""
    build_llama(attention="sdpa", context=context, width=width).save_pretrained(str(folder))
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
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


def write_shop(path: Path) -> Path:
    """A SQLite database of two tables with a key between them, and a name with a quote in it."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT, city_id INTEGER REFERENCES city);"
        "INSERT INTO city VALUES (1, 'Bath'), (2, 'York');"
        "INSERT INTO shop VALUES (1, 'O''Fallon', 1), (2, 'South', 1), (3, 'East', 2);"
    )
    connection.close()
    return path
