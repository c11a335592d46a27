"""The name that old scripts import for encoder-decoder models, which are left out here."""

from __future__ import annotations

from typing import Any, NoReturn

from luciola.compat.trl.errors import ClassicError


class AutoModelForSeq2SeqLMWithValueHead:
    """Only importable: scripts name it beside the causal class and use one of the two."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        self.from_pretrained()

    @classmethod
    def from_pretrained(cls, *given: Any, **settings: Any) -> NoReturn:
        """Raises: ClassicError, always."""
        raise ClassicError(
            "encoder-decoder models (AutoModelForSeq2SeqLMWithValueHead) are not supported",
            remedy="Use AutoModelForCausalLMWithValueHead and a causal language model.",
        )
