"""Text to token ids, piece by piece, with nothing added that the text does not say.

A prompt and its answer are encoded apart: at inference the prompt's tokens are fixed before the
answer's first token exists, so a token across the border could never occur. Some tokenizers put a
space before every text that they are given; for these a piece in the middle is encoded behind an
anchor, which is then cut off.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from luciola.errors import TemplateError

ANCHOR = "\n"
"""Never merges with what follows where it is needed: SentencePiece spells it as a byte."""


class Encoded(NamedTuple):
    """Token ids, and for each token the character of the text at which it starts."""

    ids: list[int]
    starts: list[int]


class Encoder:
    """Encodes pieces of text; special tokens only where the text spells them.

    Args:
        tokenizer: a transformers tokenizer with offsets ("fast").

    Raises: TemplateError if it gives no offsets.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise TemplateError(
                f"the tokenizer of {tokenizer.name_or_path or 'this model'} cannot tell which "
                "characters a token stands for, which is needed to find the answer's tokens",
                remedy="Use a model folder with a tokenizer.json.",
            )
        self._tokenizer = tokenizer
        self._anchor = self.piece(ANCHOR, first=True).ids if self._adds_space() else []
        opening = tokenizer("a")["input_ids"][:1]
        self.begin: list[int] = [i for i in opening if i == tokenizer.bos_token_id]
        """The token that the tokenizer puts before plain text, or nothing."""
        self.end: list[int] = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        """The token that ends plain text, or nothing."""

    def opening(self, text: str) -> list[int]:
        """Plain text at the start of a sequence, behind the begin token if any, never two."""
        ids = self.piece(text, first=True).ids
        return ids if ids[: len(self.begin)] == self.begin else [*self.begin, *ids]

    def closing(self, ids: list[int]) -> list[int]:
        """`ids` ended by the end token if there is one, never two."""
        return ids if ids[-1:] == self.end else [*ids, *self.end]

    def piece(self, text: str, *, first: bool) -> Encoded:
        """A piece of a sequence: its `first`, or one that follows another."""
        if first or not self._anchor:
            return self._encode(text)
        ids, starts = self._encode(ANCHOR + text)
        cut = len(self._anchor)
        if ids[:cut] != self._anchor:
            return self._encode(text)
        return Encoded(ids[cut:], [start - len(ANCHOR) for start in starts[cut:]])

    def _adds_space(self) -> bool:
        alone, behind = self._encode("a").ids, self._encode(ANCHOR + "a").ids
        return behind[-len(alone) :] != alone

    def _encode(self, text: str) -> Encoded:
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return Encoded(encoded["input_ids"], [start for start, _ in encoded["offset_mapping"]])
