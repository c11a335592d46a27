"""How much of the data a length limit cuts or leaves out, and when that is too much."""

from __future__ import annotations

from luciola.data.summary import counted
from luciola.errors import DataError


def cut_text(cut: int, total: int, what: str, *, left_out: bool, limit: int) -> str:
    """The notice: `cut at 64 tokens: 24 examples of 25 (96%)`."""
    done = f"left out, longer than {limit:,} tokens" if left_out else f"cut at {limit:,} tokens"
    return f"{done}: {counted(cut, what)} of {total:,} ({cut / max(1, total):.0%})"


def check_cut(
    cut: int,
    total: int,
    most: float,
    *,
    what: str,
    limit: int,
    needed: int,
    left_out: bool = False,
    setting: str = "max_length",
    path: str | None = None,
) -> None:
    """Refuse data of which more than the share `most` does not fit.

    Args:
        cut: how many do not fit; of so many in all, `total`.
        what: what one of them is called.
        limit: tokens that fit.
        needed: tokens of the longest.
        left_out: whether they are left out; else cut.
        setting: what the limit is called.

    Raises: DataError.
    """
    if cut > most * total:
        raise DataError(
            f"{cut_text(cut, total, what, left_out=left_out, limit=limit)}, and max_cut is "
            f"{most:g}; the longest has {needed:,} tokens",
            path=path,
            remedy=f"Raise {setting}, or accept the loss with max_cut=1.",
        )
