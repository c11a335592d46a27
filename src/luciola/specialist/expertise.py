"""What a specialist must remember beside its weights: how it was asked while it learned.

Saved as `specialist.json` in the model's folder, so that questions are put in the same words later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from luciola.config.sql import OWN_PROMPTS, SqlConfig
from luciola.errors import ConfigError, ModelError
from luciola.runs.atomic import write_atomically
from luciola.sql.database.address import display_name
from luciola.sql.database.allowed import Allowed

if TYPE_CHECKING:
    from luciola.sql.dail.representation import Representation
    from luciola.sql.schema import Schema

FILE = "specialist.json"


@dataclass(frozen=True)
class Expertise:
    """How a model was taught to read databases.

    Args:
        database: the one it was trained on, without its password; "" for a model of many.
        mentions: whether the cell values that a question mentions follow it.
        types: whether columns are shown with their types.
        prompt: "house", the schema in the fewest tokens, which is the same for all questions;
            "copying", written for databases that were never seen (`specialist.augment.render`); or
            a representation of DAIL-SQL (`sql.dail.representation`), such as "CR_P".
        foreign_keys, rule: of a representation; None: as its name says.
        chat: whether a representation is a user's message; else it is raw text that is continued.
        strip_suffix: whether the blank that ends a representation begins the answer instead.
        room: tokens that a representation had at most; 0: what the model's context leaves.
        schema: the columns of each table while it was trained; None: of many databases, or not
            known.
        allow_tables, allow_columns: what of its database it may know of; empty: all tables.
    """

    database: str = ""
    mentions: bool = True
    types: bool = False
    prompt: str = "house"
    foreign_keys: bool | None = None
    rule: bool | None = None
    chat: bool = False
    strip_suffix: bool = False
    room: int = 0
    schema: dict[str, list[str]] | None = None
    allow_tables: Sequence[str] = ()
    allow_columns: Sequence[str] = ()

    @classmethod
    def of(cls, config: SqlConfig, *, database: str, room: int) -> Expertise:
        """What a recipe teaches, spelled out: a representation with its keys and its rule.

        Raises: ConfigError for a representation that does not exist.
        """
        tables, columns = config.allow_tables, config.allow_columns
        if not config.is_represented:
            return cls(
                database,
                config.mentions,
                config.types,
                config.prompt,
                allow_tables=tables,
                allow_columns=columns,
            )
        chosen = _chosen(config)
        return cls(
            database,
            mentions=False,
            prompt=chosen.name,
            foreign_keys=chosen.foreign_keys,
            rule=chosen.wording == "rule",
            chat=config.chat,
            strip_suffix=config.strip_suffix,
            room=room,
            allow_tables=tables,
            allow_columns=columns,
        )

    @property
    def allowed(self) -> Allowed | None:
        """What of its own database it was taught to read; None: all tables."""
        return Allowed.of(self.allow_tables, self.allow_columns)

    def allowed_on(self, database: str | Path) -> Allowed | None:
        """What it may read where nobody says otherwise: on its own database no more than it
        was trained on, on others everything.
        """
        return self.allowed if same_place(self.database, database) else None

    @property
    def representation(self) -> Representation | None:
        """How a question is written; None with a prompt of our own.

        Raises: ConfigError where there is no such representation.
        """
        from luciola.sql.dail.representation import representation

        if self.prompt in OWN_PROMPTS:
            return None
        return representation(self.prompt, foreign_keys=self.foreign_keys, rule=self.rule)

    @property
    def goes_on(self) -> bool:
        """Whether the model goes on from a prompt's text, without a chat template."""
        return self.prompt not in OWN_PROMPTS and not self.chat

    def stripped(self, prompt: str) -> str:
        """The prompt as the model reads it: without its last blank, where that is the answer's."""
        return prompt.removesuffix(" ") if self.strip_suffix else prompt

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        write_atomically(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, model: str) -> Expertise:
        """What the folder of a model, or of its run, says; the defaults where it is no specialist.

        Raises: ModelError if the file cannot be read.
        """
        path = next(
            (p for p in (Path(model, FILE), Path(model, "model", FILE)) if p.is_file()), None
        )
        if path is None:
            return cls()
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            lists = {key: tuple(value) for key, value in saved.items() if isinstance(value, list)}
            known = cls(**{**saved, **lists})
            known.representation  # noqa: B018  # one that does not exist is refused here
        except (OSError, ValueError, TypeError, AttributeError, ConfigError) as error:
            raise ModelError(f"{path} cannot be read ({error})") from error
        return known


def columns_of(schema: Schema) -> dict[str, list[str]]:
    """The columns of each table, as a model remembers them."""
    return {table.name: [column.name for column in table.columns] for table in schema.tables}


def changes(before: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    """What a schema gained and lost, in words; none where it is the same."""
    found = [f"table {name} is gone" for name in before if name not in now]
    found += [f"table {name} is new" for name in now if name not in before]
    for name in before.keys() & now.keys():
        lost = [column for column in before[name] if column not in now[name]]
        new = [column for column in now[name] if column not in before[name]]
        found += [f"column {name}.{column} is gone" for column in lost]
        found += [f"column {name}.{column} is new" for column in new]
    return sorted(found)


def same_place(one: str | Path, other: str | Path) -> bool:
    """Whether two names mean one database: the same file, or URL whatever its password."""
    names = (display_name(each) for each in (one, other))
    first, second = (name if "://" in name else str(Path(name).resolve()) for name in names)
    return first == second


def specialists(database: str | Path, runs: Path = Path("runs")) -> list[Path]:
    """Models under `runs` that were trained on this database, newest first."""
    found = []
    for file in runs.rglob(f"model/{FILE}"):
        known = Expertise.load(str(file.parent)).database
        if known and same_place(known, database):
            found.append(file)
    return [file.parent for file in sorted(found, key=lambda f: -f.stat().st_mtime)]


def lost_specialists(runs: Path = Path("runs")) -> list[tuple[Path, str]]:
    """Models under `runs` whose database file is no longer there, newest first, and that file."""
    found = sorted(runs.rglob(f"model/{FILE}"), key=lambda file: -file.stat().st_mtime)
    known = [(file.parent, Expertise.load(str(file.parent)).database) for file in found]
    return [
        (model, database)
        for model, database in known
        if database and "://" not in database and not Path(database).exists()
    ]


def check_representation(config: SqlConfig) -> None:
    """Raises: ConfigError where the recipe's representation does not exist with its settings."""
    if config.is_represented:
        _chosen(config)


def _chosen(config: SqlConfig) -> Representation:
    from luciola.sql.dail.representation import representation

    keys, rule = _known(config.foreign_keys), _known(config.rule)
    try:
        return representation(config.prompt, foreign_keys=keys, rule=rule)
    except ConfigError as error:
        remedy = "Leave foreign_keys and rule out: auto takes what the representation has."
        raise ConfigError(error.message, remedy=remedy) from None


def _known(switch: Literal["auto"] | bool) -> bool | None:
    return None if switch == "auto" else switch
