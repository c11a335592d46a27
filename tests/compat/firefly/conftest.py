"""Tokenizers with the special tokens of the families that Firefly knows, built in code."""

from __future__ import annotations

from typing import Any

import pytest

SPECIAL_WORDS = (
    "<unk> <s> </s> <|im_start|> <|im_end|> <｜end▁of▁sentence｜> <|endoftext|> <|eot_id|> "
    "<|begin_of_text|> <|start_header_id|> <|end_header_id|> <bos> <eos> <start_of_turn> "
    "<end_of_turn> <|end|> <|user|> <|assistant|> <|system|> [gMASK] sop <reserved_102> "
    "<reserved_103> <reserved_106> <reserved_107>"
)
SPECIAL = SPECIAL_WORDS.split()
MERGES = [("Ċ", "Ċ"), ("h", "e"), ("Ġ", "he"), ("l", "l"), ("Ċ", "["), ("]", "H"), (":", "H")]
"""Some would join what Firefly keeps apart, the end of a question and the answer to it."""


def build_tokenizer() -> Any:
    """Byte-level BPE whose end token is </s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIAL, *letters, *("".join(pair) for pair in MERGES)]
    backend = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, MERGES))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL,
    )


@pytest.fixture(scope="session")
def every_family() -> Any:
    """A tokenizer that has the special tokens of every template."""
    return build_tokenizer()
