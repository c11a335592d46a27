"""Recipes: a file of frozen dataclasses per method, and what reads, checks and writes them."""

from luciola.config.load import from_mapping, load
from luciola.config.settings import Setting, describe
from luciola.config.write import as_mapping, to_yaml

__all__ = ["Setting", "as_mapping", "describe", "from_mapping", "load", "to_yaml"]
