"""What people call tables and columns, from a file in the format of Spider's tables.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from luciola.errors import DataError
from luciola.specialist.augment.source import Spoken


def read_spoken(path: str) -> dict[str, Spoken]:
    """For each db_id the words of its tables and columns; nothing where no path is given.

    Raises: DataError if the file is missing or of another format.
    """
    if not path:
        return {}
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        return {row["db_id"]: _spoken(row) for row in rows}
    except FileNotFoundError:
        raise DataError("no such file", path=path) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"is not in the format of Spider's tables.json ({type(error).__name__}: {error})",
            path=path,
        ) from error


def _spoken(row: dict[str, Any]) -> Spoken:
    originals = row["table_names_original"]
    names = {(name, ""): words for name, words in zip(originals, row["table_names"], strict=True)}
    columns = zip(row["column_names_original"], row["column_names"], strict=True)
    for (table, name), (_, words) in columns:
        if table >= 0:
            names[originals[table], name] = words
    return names
