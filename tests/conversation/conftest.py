"""Small tokenizers with the traits that matter, built in code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "<pad>"]
MERGES = [("Ċ", "Ċ"), ("h", "i"), ("Ġ", "hi"), ("l", "l"), ("ll", "o"), ("Ġ", "Ġ"), ("?", "Ċ")]


def bytes_tokenizer(*, template: str | None = CHATML, begin: bool = False) -> Any:
    """Byte-level BPE with a few merges, among them two line breaks; pad token = end token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIAL, *letters, *("".join(pair) for pair in MERGES)]
    model = models.BPE({word: i for i, word in enumerate(words)}, MERGES)
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    if begin:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 2)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=SPECIAL,
    )
    tokenizer.chat_template = template
    return tokenizer


def space_tokenizer(template: str) -> Any:
    """In the manner of SentencePiece: words carry a space at their front, texts are given one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    plain = ["hi", "yes", "a", "1", "[I]", "[/I]"]
    words = [*SPECIAL, "<unk>", "▁", "\n", *plain, *(f"▁{word}" for word in plain)]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Split("[/I]", "isolated"),
        ]
    )
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL,
    )
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture(scope="session")
def chatml() -> Any:
    """A byte-level tokenizer with ChatML."""
    return bytes_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_with() -> Callable[..., Any]:
    """Makes a byte-level tokenizer with a template and perhaps a begin token."""
    return bytes_tokenizer


@pytest.fixture(scope="session")
def spaced() -> Callable[[str], Any]:
    """Makes a tokenizer that puts a space before every text."""
    return space_tokenizer


@pytest.fixture(scope="session")
def smollm2() -> Any:
    """The demo model's tokenizer."""
    from luciola.models import catalogue
    from luciola.models.load import load_tokenizer

    if not catalogue.is_present("smollm2-135m"):
        pytest.skip("smollm2-135m is not here: luciola models get smollm2-135m")
    return load_tokenizer("smollm2-135m")
