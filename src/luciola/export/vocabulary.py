"""A tokenizer as llama.cpp carries it: tokens with their types, merges or scores, special ids.

Byte-pair encoding on bytes (GPT-2, Llama 3, Qwen) and SentencePiece's with byte fallback (Llama 2,
Mistral). Unigram and WordPiece are left out.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gguf import TokenType

from luciola.errors import ModelError
from luciola.export.splitting import splitter_name

if TYPE_CHECKING:
    from gguf import GGUFWriter

log = logging.getLogger(__name__)

BYTE = re.compile(r"<0x[0-9A-F]{2}>")


@dataclass(frozen=True)
class Vocabulary:
    """What the file says about tokens.

    Args:
        model: "gpt2" (bytes) or "llama" (SentencePiece).
        splitter: llama.cpp's name for the way into words; None for "llama".
        tokens: one per row of the embedding.
        types: llama.cpp's type of each.
        merges: "left right", in their order.
        scores: of "llama": the later a merge, the lower.
        space_prefix: whether a space is put before the text.
    """

    model: str
    splitter: str | None
    tokens: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    space_prefix: bool


def vocabulary_of(tokenizer: Any, num_rows: int) -> Vocabulary:
    """Read a fast tokenizer.

    Args:
        num_rows: rows of the model's embedding; those that no token has get a placeholder.

    Raises: ModelError for a tokenizer that is of another kind, or has more tokens than rows.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    described = json.loads(backend.to_str()) if backend is not None else {"model": {}}
    model = described["model"]
    on_bytes = '"ByteLevel"' in json.dumps([described.get("pre_tokenizer"), described["decoder"]])
    if model.get("type") != "BPE" or not (on_bytes or model["byte_fallback"]):
        raise ModelError(
            f"a tokenizer of the kind {model.get('type') or type(tokenizer).__name__} cannot be "
            "written as GGUF here",
            remedy="Supported is byte-pair encoding: on bytes, or with byte fallback.",
        )
    tokens, types = _tokens(described, num_rows, tokenizer.unk_token or "")
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    if on_bytes:
        name = _splitter(backend)
        return Vocabulary("gpt2", name, tokens, types, merges, [], False)
    prefix = backend.encode("a", add_special_tokens=False).tokens[0].startswith("▁")
    return Vocabulary("llama", None, tokens, types, [], _scores(tokens, merges), prefix)


def write_vocabulary(writer: GGUFWriter, vocabulary: Vocabulary, tokenizer: Any) -> None:
    """Write tokens, special ids and chat template."""
    writer.add_tokenizer_model(vocabulary.model)
    if vocabulary.splitter:
        writer.add_tokenizer_pre(vocabulary.splitter)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(vocabulary.space_prefix)
    if vocabulary.merges:
        writer.add_token_merges(vocabulary.merges)
    for name in ("bos", "eos", "unk", "pad"):
        id = getattr(tokenizer, f"{name}_token_id")
        if id is not None:
            getattr(writer, f"add_{name}_token_id")(id)
    writer.add_add_bos_token(begins_with_bos(tokenizer))
    template = chat_template(tokenizer)
    if template:
        writer.add_chat_template(template)


def begins_with_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer puts its begin token before a text by itself."""
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]


def chat_template(tokenizer: Any) -> str | None:
    """The chat template; of several the default one."""
    template = tokenizer.chat_template
    return template.get("default") if isinstance(template, dict) else template


def _tokens(described: Any, num_rows: int, unknown: str) -> tuple[list[str], list[int]]:
    added = {entry["content"]: entry for entry in described["added_tokens"]}
    ids = {**described["model"]["vocab"], **{text: entry["id"] for text, entry in added.items()}}
    if max(ids.values(), default=0) >= num_rows:
        raise ModelError(
            f"the tokenizer has ids up to {max(ids.values()):,}, the model has {num_rows:,} rows",
            remedy="Take the tokenizer that the model was trained with.",
        )
    tokens = [f"[PAD{row}]" for row in range(num_rows)]
    types = [int(TokenType.UNUSED)] * num_rows
    is_sentencepiece = bool(described["model"]["byte_fallback"])
    for text, id in ids.items():
        tokens[id] = text
        types[id] = _type(text, added.get(text), is_sentencepiece and text == unknown)
    return tokens, types


def _type(text: str, added: Any, is_unknown: bool) -> int:
    if is_unknown:
        return int(TokenType.UNKNOWN)
    if added is not None:
        return int(TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED)
    return int(TokenType.BYTE if BYTE.fullmatch(text) else TokenType.NORMAL)


def _scores(tokens: Sequence[str], merges: Sequence[str]) -> list[float]:
    """The rank of the first merge that makes a token, negated; others come last."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    return [-float(ranks.get(token, len(merges))) for token in tokens]


def _splitter(backend: Any) -> str:
    name = splitter_name(backend)
    if name is None:
        log.warning(
            "this tokenizer cuts text into words in a way that has no name here: llama.cpp will "
            "use its default way, and some texts may become other tokens"
        )
    return name or "default"
