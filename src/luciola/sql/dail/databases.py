"""The databases that questions are about: folders of SQLite files and their tables.json.

A file is FOLDER/ID/ID.sqlite, as Spider and BIRD have it, or FOLDER/ID.sqlite; everything is read
once, when it is first asked for. Questions and examples may lie in two folders, as in BIRD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.dail.cells import DatabaseCells
from luciola.sql.dail.facts import SchemaFacts, read_facts
from luciola.sql.dail.lemmas import Analyse, analyse
from luciola.sql.dail.linking import LinkedSchema, link, mask
from luciola.sql.dail.skeleton import skeleton
from luciola.sql.dail.tables import ListedSchema, listed
from luciola.sql.place import database_file


class Databases:
    """The databases of one or more folders, the first that has a name counts.

    A schema that `tables` lacks is taken from the file itself; `analyse` makes words and lemmas of
    questions and names.
    """

    def __init__(
        self,
        folder: str | Path | Sequence[str | Path],
        tables: Mapping[str, ListedSchema] | None = None,
        *,
        analyse: Analyse = analyse,
    ) -> None:
        several = [folder] if isinstance(folder, str | Path) else folder
        self.folders = tuple(Path(one) for one in several)
        self._analyse = analyse
        self._linked: dict[str, LinkedSchema] = {}
        self._schemas = dict(tables or {})
        self._facts: dict[str, SchemaFacts] = {}
        self._cells: dict[str, DatabaseCells | None] = {}

    def file(self, db_id: str) -> Path:
        """Raises: DatabaseError where there is none, or `db_id` leads out of the folder."""
        return database_file(self.folders, db_id)

    def facts(self, db_id: str) -> SchemaFacts:
        """What prompts show of a database."""
        if db_id not in self._facts:
            self._facts[db_id] = read_facts(self.file(db_id))
        return self._facts[db_id]

    def schema(self, db_id: str) -> ListedSchema:
        """What tables.json says of a database."""
        if db_id not in self._schemas:
            self._schemas[db_id] = listed(db_id, self.facts(db_id))
        return self._schemas[db_id]

    def masked(self, db_id: str, question: str) -> str:
        """The question without what names this database's schema and cells, in lower case."""
        words, lemmas = self._analyse(question)
        if db_id not in self._linked:
            self._linked[db_id] = self.schema(db_id).linked(self._analyse)
        return mask(words, link(lemmas, self._linked[db_id], self._cells_of(db_id)))

    def skeleton(self, db_id: str, sql: str) -> str:
        """The skeleton of a query on this database."""
        return skeleton(sql, self.schema(db_id).names)

    def _cells_of(self, db_id: str) -> DatabaseCells | None:
        """None where a schema is known and its file is not here: no value is linked then."""
        if db_id not in self._cells:
            try:
                cells = DatabaseCells(self.file(db_id), self.schema(db_id).columns)
            except DatabaseError:
                self._cells[db_id] = None
            else:
                self._cells[db_id] = cells
        return self._cells[db_id]
