"""A tiny random model and a tokenizer of single characters, built in code."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from luciola.types import Request, Sampling

CHARACTERS = "abcdefghijklmnopqrstuvwxyz .,;0123456789"
VOCABULARY = len(CHARACTERS) + 1
END = len(CHARACTERS)


@pytest.fixture(scope="session")
def model() -> LlamaForCausalLM:
    """Two layers with grouped heads, float32, weights large enough for varied answers."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=END,
        pad_token_id=END,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token per character, and the end token."""
    vocabulary = {character: index for index, character in enumerate(CHARACTERS)} | {"<end>": END}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    words.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")


@pytest.fixture
def prompts() -> list[tuple[int, ...]]:
    """Ten prompts of different lengths: six behind one prefix of 70, three behind another of 80."""
    dice = random.Random(0)

    def some(number: int) -> tuple[int, ...]:
        return tuple(dice.randrange(END) for _ in range(number))

    first, second = some(70), some(80)
    behind = [first + some(length) for length in (3, 9, 1, 17, 5, 5)]
    return [some(4), *behind[:3], *(second + some(length) for length in (2, 30, 8)), *behind[3:]]


@pytest.fixture
def requests_(prompts: list[tuple[int, ...]]) -> Callable[..., list[Request]]:
    """Requests of mixed settings, seeds and lengths over `prompts`."""

    def build(**fixed: float) -> list[Request]:
        settings = [
            {"temperature": 0.0},
            {"temperature": 1.0},
            {"temperature": 0.7, "top_p": 0.9},
            {"temperature": 1.3, "top_k": 5},
            {"temperature": 1.0, "min_p": 0.1},
        ]
        return [
            Request(
                prompt,
                n=1 + index % 2,
                sampling=Sampling(5 + 4 * index, **(settings[index % 5] | fixed)),  # type: ignore[arg-type]
                seed=index,
            )
            for index, prompt in enumerate(prompts)
        ]

    return build
