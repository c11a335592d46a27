"""Questions about the demo's database with the SQL that answers them, written by hand.

The SQL keeps to one style, so that a small model can learn it in minutes:

* "Which ..." and "Who ..." give names; "how many" is COUNT(*), of units SUM(quantity); money taken
  is SUM(total); "each" and "per" give the group first, then the figure.
* Columns are bare where a SELECT reads one table, else `table.column`; no aliases.
* A join starts at the table that holds the foreign keys and takes the others in their order.
* A condition on sales or deliveries alone is `id IN (SELECT ...)`; one on a third table is a join
  with DISTINCT.
* Months and years are `date LIKE '2024-03%'` and `date LIKE '2024%'`; groups use strftime.
* Online is `shop_id IS NULL`.

Held-out pairs have other wordings, and other literals than the training pairs of the same shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

TRAIN_FILE = Path(__file__).with_name("train.jsonl")
HELDOUT_FILE = Path(__file__).with_name("heldout.jsonl")


@dataclass(frozen=True)
class Pair:
    """A question as a person asks it, and the SQL that answers it."""

    question: str
    query: str


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of one of the demo's own files, in the order of the lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Pair(**json.loads(line)) for line in lines]
