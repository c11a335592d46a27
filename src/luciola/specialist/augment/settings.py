"""How much is changed, and how often: shares of the examples unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AugmentSettings:
    """Defaults: the best of those measured on unseen databases (docs/benchmarks.md)."""

    plain: float = 0.05
    """Nothing but the order of the schema changes."""
    restyle: float = 0.85
    """All names in another style."""
    swap: float = 0.75
    """Words exchanged; the names are restyled then, too."""
    swap_share: float = 0.7
    """Of an example's exchangeable words, on average."""
    invented: float = 0.25
    """Of the exchanged words: replaced by invented ones."""
    renumber: float = 0.35
    """In half of the examples, of the tables: the name turns from singular to plural, or back."""
    misspell: float = 0.2
    """A few words of the names are misspelt."""
    drop_tables: float = 0.4
    """Some tables that the answer does not use are left out."""
    add_tables: float = 0.35
    """Tables of other databases are added."""
    drop_columns: float = 0.35
    """Some unused columns are left out."""
    add_columns: float = 0.35
    """Columns of other databases are added."""
    shuffle_tables: float = 0.8
    """Tables in random order."""
    shuffle_columns: float = 0.5
    """Columns in random order."""
    literals: float = 0.3
    """Of the literals that the question states: exchanged in both."""
    surface: float = 0.2
    """The question in lower case, or without its last mark."""
    most_columns: int = 80
    """Unused tables are dropped until the schema has no more columns than this."""
