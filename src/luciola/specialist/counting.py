"""How many tokens a text takes for a model that a person names, bundled ones as well."""

from __future__ import annotations

from pathlib import Path

from luciola.models import catalogue
from luciola.models.source import resolve
from luciola.sql.dail.counting import Count, token_counter


def counter(name: str, *, trust_remote_code: bool = False) -> Count:
    """The count of a bundled model, a folder with `tokenizer.json`, or an encoding of tiktoken.

    Args:
        trust_remote_code: count a folder's tokens with Python code that comes with it.

    Raises: as `token_counter`; ModelError where a bundled model cannot be fetched.
    """
    place = resolve(name).location if name in catalogue.NAMES else name
    if trust_remote_code and (folder := Path(place).expanduser()).is_dir():
        return _by_the_model(folder)
    return token_counter(place)


def _by_the_model(folder: Path) -> Count:
    from luciola.models.load import load_tokenizer

    tokenizer = load_tokenizer(folder, trust_remote_code=True)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))
