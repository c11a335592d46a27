"""What a specialist must remember beside its weights: how it was asked while it learned.

Saved as `specialist.json` in the model's folder, so that questions are put in the same words later.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from luciola.errors import ModelError
from luciola.runs.atomic import write_atomically

FILE = "specialist.json"


@dataclass(frozen=True)
class Expertise:
    """How a model was taught to read databases.

    Args:
        database: the one it was trained on; "" for a model of many databases.
        mentions: whether the cell values that a question mentions follow it.
        types: whether columns are shown with their types.
        prompt: "house", the schema in the fewest tokens, which is the same for all questions; or
            "copying", written for databases that were never seen (`specialist.augment.render`).
    """

    database: str = ""
    mentions: bool = True
    types: bool = False
    prompt: Literal["house", "copying"] = "house"

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        write_atomically(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, model: str) -> Expertise:
        """What a model's folder says; the defaults for a model that is no specialist.

        Raises: ModelError if the file cannot be read.
        """
        path = Path(model, FILE)
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"{path} cannot be read ({error})") from error


def specialists(database: str | Path, runs: Path = Path("runs")) -> list[Path]:
    """Models under `runs` that were trained on this database, newest first."""
    wanted = str(database) if "://" in str(database) else str(Path(database).resolve())
    found = []
    for file in runs.rglob(f"model/{FILE}"):
        known = Expertise.load(str(file.parent)).database
        if known and (known if "://" in known else str(Path(known).resolve())) == wanted:
            found.append(file)
    return [file.parent for file in sorted(found, key=lambda f: -f.stat().st_mtime)]
