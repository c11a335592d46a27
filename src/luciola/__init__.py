"""Luciola: train, align and serve a language model of your own on one GPU, and ask your own
database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "a2c",
    "dpo",
    "grpo",
    "ilql",
    "named",
    "ppo",
    "reward_model",
    "rloo",
    "sft",
]
METHODS = {
    "a2c": "luciola.methods.online.calls",
    "dpo": "luciola.methods.dpo",
    "grpo": "luciola.methods.online.calls",
    "ilql": "luciola.methods.ilql_runs",
    "ppo": "luciola.methods.online.calls",
    "reward_model": "luciola.methods.reward",
    "rloo": "luciola.methods.online.calls",
    "sft": "luciola.methods.sft",
}
"""The calls that train, and where each is."""
CALLS = {**METHODS, "named": "luciola.fingerprints.naming"}
"""Every call of this package; each is imported when it is used."""

if TYPE_CHECKING:
    from luciola.fingerprints.naming import named
    from luciola.methods.dpo import dpo
    from luciola.methods.ilql_runs import ilql
    from luciola.methods.online.calls import a2c, grpo, ppo, rloo
    from luciola.methods.reward import reward_model
    from luciola.methods.sft import sft


def __getattr__(name: str) -> Any:
    """Import the heavy parts only when they are used, so that `import luciola` takes
    milliseconds.
    """
    if name in CALLS:
        from importlib import import_module

        return getattr(import_module(CALLS[name]), name)
    raise AttributeError(f"module 'luciola' has no attribute {name!r}")
