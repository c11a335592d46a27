"""How many tokens a text takes for a model that a person names, bundled ones as well."""

from __future__ import annotations

from luciola.models import catalogue
from luciola.models.source import resolve
from luciola.sql.dail.counting import Count, token_counter


def counter(name: str) -> Count:
    """The count of a bundled model, a folder with `tokenizer.json`, or an encoding of tiktoken.

    Raises: as `token_counter`; ModelError where a bundled model cannot be fetched.
    """
    return token_counter(resolve(name).location if name in catalogue.NAMES else name)
