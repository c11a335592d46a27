"""Luciola: train, align and serve a language model of your own on one GPU, and ask your own
database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "sft"]

if TYPE_CHECKING:
    from luciola.methods.sft import sft


def __getattr__(name: str) -> Any:
    """Import the heavy parts only when they are used, so that `import luciola` takes
    milliseconds.
    """
    if name == "sft":
        from luciola.methods.sft import sft

        return sft
    raise AttributeError(f"module 'luciola' has no attribute {name!r}")
