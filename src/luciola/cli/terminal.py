"""What a command prints: names, cells and SQL from a database or a model never steer the terminal.

Line breaks and tabs stay, and so do the joiners that scripts and emoji need. Control characters,
escape sequences and marks that turn the direction of writing become blanks. Files that a command
writes hold everything as it was.
"""

from __future__ import annotations

import unicodedata

import typer

KEPT = frozenset("\n\t")
TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make a terminal show letters in another order than they are in."""
LONGEST_LINE = 2_000
"""Characters of a line of an error; a name that fills screens says nothing more."""
END = 200


def say(text: str, *, err: bool = False) -> None:
    """Print it, harmless."""
    typer.echo(printable(text), err=err)


def printable(text: str) -> str:
    """`text` without what could steer a terminal, and without lone halves of surrogate pairs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(mark if _is_harmless(mark) else " " for mark in text)


def bounded(text: str) -> str:
    """The same, with the middle of very long lines left out."""
    return "\n".join(map(_bounded_line, printable(text).split("\n")))


def _is_harmless(mark: str) -> bool:
    return mark in KEPT or (unicodedata.category(mark) not in ("Cc", "Cs") and mark not in TURNS)


def _bounded_line(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE - END]} … {line[-END:]}"
