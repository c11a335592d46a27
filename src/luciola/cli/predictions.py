"""The files of predictions that `luciola sql answer` writes: one SQL a line, or BIRD's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luciola.cli.answers import Asked
    from luciola.data.readers.record import Record


def of_lines(sqls: Sequence[str]) -> str:
    """One SQL a line."""
    return "".join(f"{sql}\n" for sql in sqls)


def of_bird(rows: Sequence[Asked], sqls: Sequence[str]) -> str:
    """`{"0": "SQL<TAB>----- bird -----<TAB>db_id", …}`, by the index of each row."""
    from luciola.sql.official.files import BIRD_MARK

    pairs = zip(rows, sqls, strict=True)
    found = {str(row.index): f"{sql}{BIRD_MARK}{row.db_id}" for row, sql in pairs}
    return json.dumps(found, ensure_ascii=False, indent=4) + "\n"


def check_numbered(row: Record, db_id: str, index: int, taken: set[int]) -> None:
    """Note an index as taken. Raises: DataError where BIRD's JSON could not hold the row."""
    if not db_id:
        raise row.error(
            "a row has no db_id, which BIRD's JSON names with each SQL",
            remedy="Write prompts with `luciola sql prompts`, or one SQL a line with --no-bird.",
        )
    if index in taken:
        raise row.error(
            f"index {index} comes twice, and BIRD's JSON holds one SQL for each",
            remedy="Number the rows from 0, or leave `index` out of all of them.",
        )
    taken.add(index)
