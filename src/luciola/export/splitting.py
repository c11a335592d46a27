"""How a byte-level tokenizer cuts text into words, under llama.cpp's name for it.

A GGUF file carries that name only. It is found by trying: the tokenizer that is at hand must cut a
text that tells the ways apart as the named way cuts it.
"""

from __future__ import annotations

from typing import Any

WAYS_APART = (
    "I'll say: WE'LL pay 12345.67€ for  naïve\tcafés\n\n  and 3rd-party x2y, 中文字 と かな!?\r\n"
    " 'tis (a_b) {c: 'd'}   \n end"
)
LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"


def splitter_name(tokenizer: Any) -> str | None:
    """llama.cpp's name for the way, or None where it is none of those known here.

    Args:
        tokenizer: the backend of a fast tokenizer.
    """
    own = tokenizer.pre_tokenizer
    if own is None:
        return None
    pieces = own.pre_tokenize_str(WAYS_APART)
    ways = _ways().items()
    return next((name for name, way in ways if way.pre_tokenize_str(WAYS_APART) == pieces), None)


def _ways() -> dict[str, Any]:
    from tokenizers import pre_tokenizers

    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {
        "gpt-2": plain,
        "smollm": pre_tokenizers.Sequence([digits, plain]),
        "llama-bpe": _by_expression(rf"{SHORT}|{LETTERS}|\p{{N}}{{1,3}}|{REST}"),
        "qwen2": _by_expression(rf"{SHORT}|{LETTERS}|\p{{N}}|{REST}"),
    }


def _by_expression(expression: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(expression), behavior="isolated")
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, spelled])
