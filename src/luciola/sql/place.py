"""Where the SQLite file of a database lies: FOLDER/ID/ID.sqlite, as published, or FOLDER/ID.sqlite.

Everything that is given a folder of databases looks here, so that all commands find the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from luciola.errors import DatabaseError, DataError
from luciola.types import Origin


def places(folder: Path, db_id: str) -> tuple[Path, Path]:
    """The two places, the published one first."""
    return folder / db_id / f"{db_id}.sqlite", folder / f"{db_id}.sqlite"


def find_database(folders: Sequence[Path], db_id: str) -> Path | None:
    """The file in the first folder that has it; None also where a name would lead out of it."""
    if not db_id or Path(db_id).name != db_id:
        return None
    found = (place for folder in folders for place in places(folder, db_id))
    return next((place for place in found if place.is_file()), None)


def database_file(folders: Sequence[Path], db_id: str) -> Path:
    """The same. Raises: DatabaseError naming where it was looked for."""
    found = find_database(folders, db_id)
    if found is None:
        looked = [place for folder in folders for place in places(folder, db_id)]
        raise DatabaseError(
            f"there is no database {db_id!r} in {' or '.join(map(str, folders))}",
            remedy=f"It is looked for at {' and '.join(map(str, looked))}.",
        )
    return found


def database_of(folder: Path, db_id: str, origin: Origin) -> Path:
    """The same for a row of questions. Raises: DataError naming the row."""
    try:
        return database_file([folder], db_id)
    except DatabaseError as error:
        raise DataError(
            error.message, path=origin.path, line=origin.line, remedy=error.remedy
        ) from error
