"""What can be refused before torch is imported, which takes seconds: names of what is not there."""

from __future__ import annotations

from collections.abc import Iterable

from luciola.config.sft import DataSource
from luciola.config.sql import SqlConfig
from luciola.sql.database.allowed import Allowed


def check_model(name: str) -> None:
    """Raises: ModelError where no folder, file, bundled or hub model can be meant."""
    from luciola.models import catalogue
    from luciola.models.source import resolve

    if name not in catalogue.NAMES:  # a bundled one that is missing is fetched later
        resolve(name)


def check_data(sources: Iterable[DataSource]) -> None:
    """Raises: DataError naming the first file or folder that does not exist."""
    from luciola.data.readers.source import check_exists
    from luciola.sql.datasets.dataset import is_dataset

    for source in sources:
        if not is_dataset(source.path):  # such as spider:dev, a folder's split
            check_exists(source.path)


def check_database(database: str) -> None:
    """Raises: DatabaseError where there is no such file, or it is no database."""
    from luciola.sql.database.address import sqlite_path
    from luciola.sql.database.reading import reader

    if sqlite_path(database) is not None:
        reader().check(database)


def check_databases(place: str, allowed: Allowed | None = None) -> None:
    """As `check_database`, where a folder of databases or of a data set is meant as well.

    Raises: ConfigError where what is allowed is not there, or there are many databases.
    """
    from luciola.specialist.evaluating import Databases, allowed_for
    from luciola.sql.datasets.dataset import is_dataset
    from luciola.sql.schema import read_schema

    if not is_dataset(place):
        check_database(place)
    if allowed is not None:
        allowed_for(Databases(place), allowed)
        read_schema(place, allowed)


def check_sql_training(config: SqlConfig) -> None:
    """All of the above for a recipe of `sql train`, and its representation."""
    from luciola.specialist.expertise import check_representation

    check_representation(config)
    check_databases(config.database, Allowed.of(config.allow_tables, config.allow_columns))
    check_data(DataSource(path) for path in (config.pairs, config.eval_pairs) if path)
    check_model(config.model)
