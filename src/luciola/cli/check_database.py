"""`luciola sql check shop.db`: one database by itself, and pairs tried on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luciola.sql.checks.check import Checked


def check_one(database: str, pairs: str, *, timeout_s: float) -> Checked:
    """Whether a database can be read, its keys, its values; and its pairs, "" being none.

    Raises: DatabaseError where it cannot be opened; DataError for the pairs' file.
    """
    from luciola.specialist.evaluating import Databases
    from luciola.specialist.pair_checks import check_pairs
    from luciola.specialist.pairs import read_pairs
    from luciola.sql.checks.finding import Finding
    from luciola.sql.checks.single import check_database

    checked = check_database(database, timeout_s=timeout_s)
    if not pairs:
        return checked
    tried = check_pairs(read_pairs(pairs), Databases(database), timeout_s=timeout_s, show=True)
    kinds = {"": "", "limit": "gold too slow", "empty": "empty result"}
    found = [
        Finding(kind, str(pair.origin), one.message or "no row")
        for pair, one in zip(tried.pairs, tried.outcomes, strict=True)
        if (kind := kinds.get(one.kind, "gold fails"))
    ]
    splits = {pairs: len(tried.pairs)}
    return replace(checked, splits=splits, findings=(*checked.findings, *found))
