"""Every error a user can meet. What each says: what was seen, where, and what to do.

    LuciolaError
    ├── ConfigError            a recipe, a setting or a flag (exit status 2)
    ├── DataError              a data file; names the file and the line
    ├── TemplateError          a chat template that cannot render a conversation as asked
    │   └── RewrittenTurnError it renders an answer differently once more turns follow
    ├── ModelError             a model or adapter that cannot be found or loaded
    ├── MissingExtraError      an optional package that is not installed
    ├── TrainingError          a run that cannot go on (NaN loss, packing that leaks)
    ├── RewardError            a reward that fails or gives no usable score; names the sample
    │   └── RatingStoppedError a person ended the rating; what was rated is kept
    ├── EndpointError          a server of a language model that cannot be used as asked
    ├── StorageError           a full disk, a folder that cannot be written
    ├── DatabaseError          a database that cannot be opened or read
    └── SqlError               model-written SQL that was refused or failed
        ├── SqlInvalidError    the database does not accept it (syntax, missing column)
        ├── SqlForbiddenError  it wants to write, attach, configure or read files
        ├── SqlTimeoutError    it ran longer than allowed
        ├── SqlRowsError       it returned more rows than allowed
        ├── SqlSizeError       its result is larger than allowed
        └── SqlMemoryError     it needed more memory than allowed

A LuciolaError never shows a traceback on the command line; anything else is our own bug and keeps
its trace.
"""

from __future__ import annotations

from pathlib import Path

FRESH = "--fresh (in Python: fresh=True)"
"""How remedies call what begins a run again, on the command line and in the Python calls."""


class LuciolaError(Exception):
    """A mistake or limit that the user can act on.

    Args:
        message: one sentence: what was seen and where.
        remedy: what to do about it; shown on a line of its own.
    """

    exit_status = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}\n  → {self.remedy}"


class ConfigError(LuciolaError):
    """A recipe, setting or flag that is not understood."""

    exit_status = 2


class DataError(LuciolaError):
    """A data file that cannot be used; `path` and `line` (1-based) say where."""

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message, remedy=remedy)
        self.path = None if path is None else str(path)
        self.line = line


class TemplateError(LuciolaError):
    """A chat template that is missing, or cannot be trained on as asked."""


class RewrittenTurnError(TemplateError):
    """A chat template that renders an answer differently once more turns follow."""


class ModelError(LuciolaError):
    """A model, tokenizer or adapter that cannot be found or loaded."""


class MissingExtraError(LuciolaError):
    """An optional package that this needs and that is not installed."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            remedy=f"pip install 'luciola[{extra}]'",
        )


class TrainingError(LuciolaError):
    """A run that cannot go on."""


class RewardError(LuciolaError):
    """A reward that raised, answered with something that is no score, or could not be reached."""


class RatingStoppedError(RewardError):
    """A person ended the rating. What was rated is kept, and reused when the run goes on."""


class EndpointError(LuciolaError):
    """A server of a language model that refuses, fails for good, or answers otherwise."""


class StorageError(LuciolaError):
    """Something could not be written: a full disk, a folder without permission."""


class DatabaseError(LuciolaError):
    """A database that cannot be opened or read."""


class SqlError(LuciolaError):
    """SQL that was refused or failed; the subclasses say how."""


class SqlInvalidError(SqlError):
    """The database does not accept the statement (syntax, missing table or column)."""


class SqlForbiddenError(SqlError):
    """The statement wants more than reading: it writes, attaches, configures or reads files."""


class SqlTimeoutError(SqlError):
    """The statement ran longer than allowed."""


class SqlRowsError(SqlError):
    """The statement returned more rows than allowed."""


class SqlSizeError(SqlError):
    """The result is larger than allowed."""


class SqlMemoryError(SqlError):
    """The statement needed more memory than allowed."""
