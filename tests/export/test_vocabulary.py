"""Tokens, types, merges and scores of a tokenizer, and the name of how it cuts text."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from exportable_models import build_sentencepiece
from luciola.errors import ModelError
from luciola.export.splitting import splitter_name
from luciola.export.vocabulary import begins_with_bos, vocabulary_of
from models_on_disk import build_tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def test_a_byte_level_tokenizer_gives_tokens_types_and_merges() -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.add_tokens(["<think>"])
    found = vocabulary_of(tokenizer, 100)
    assert (found.model, found.splitter) == ("gpt2", "gpt-2")
    assert found.tokens[95:] == ["se", "<end>", "<|new|>", "<think>", "[PAD99]"]
    assert found.types[95:] == [NORMAL, CONTROL, CONTROL, USER_DEFINED, UNUSED]
    assert found.merges == ["s e"]
    assert found.scores == []


def test_a_sentencepiece_tokenizer_gives_scores_in_the_order_of_its_merges() -> None:
    found = vocabulary_of(build_sentencepiece(), 268)
    assert found.model == "llama"
    assert found.space_prefix
    assert found.types[:4] == [UNKNOWN, CONTROL, CONTROL, BYTE]
    assert found.scores[259:263] == [-0.0, -1.0, -2.0, -3.0]


def test_a_word_is_no_unknown_token_where_the_tokenizer_has_none() -> None:
    """Llama 2's vocabulary has the word None."""
    tokenizer = build_sentencepiece()
    tokenizer.backend_tokenizer.add_tokens(["None"])
    tokenizer.unk_token = None
    assert UNKNOWN not in vocabulary_of(tokenizer, 269).types


def test_whether_a_begin_token_is_added_is_seen() -> None:
    assert begins_with_bos(build_sentencepiece())
    assert not begins_with_bos(build_tokenizer())


def test_more_tokens_than_rows_are_refused() -> None:
    with pytest.raises(ModelError, match="ids up to 96, the model has 96 rows"):
        vocabulary_of(build_tokenizer(), 96)


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    backend = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(ModelError, match="of the kind WordPiece cannot be written"):
        vocabulary_of(PreTrainedTokenizerFast(tokenizer_object=backend), 8)


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PLAIN = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([BYTES], "gpt-2"),
        ([pre_tokenizers.Digits(individual_digits=True), BYTES], "smollm"),
        ([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), PLAIN], "llama-bpe"),
        ([pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"), PLAIN], "qwen2"),
        ([pre_tokenizers.Whitespace(), PLAIN], None),
    ],
)
def test_ways_into_words_are_told_apart(
    parts: list[pre_tokenizers.PreTokenizer], name: str | None
) -> None:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    assert splitter_name(backend) == name
