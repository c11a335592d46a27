"""A run's folder, which reads well with `ls`:

    recipe.yaml     complete, as resolved
    metrics.jsonl   figures by step
    checkpoints/    step-000200/, to go on from
    fingerprints.json    of the data, models and functions that the recipe only names
    model/          loads with plain transformers and peft
    report.md, report.json, loss.svg

The same recipe finds its own folder again and goes on; another recipe is refused there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luciola.errors import FRESH, ConfigError, DataError
from luciola.runs.atomic import clear_leftovers, is_leftover, storage_errors, write_atomically
from luciola.runs.lock import Lock
from luciola.runs.metrics import Metrics, Row
from luciola.runs.recipe import Recipe, difference

RUNS = Path("runs")
RECIPE = "recipe.yaml"
REPORT = "report.json"
LOCK = ".lock"
TRACKED = ("tensorboard", "wandb")
TRACE = ("trace.jsonl", "trace.html")
GIVEN = "fingerprints.json"
FILES = ("metrics.jsonl", "report.md", REPORT, "loss.svg", GIVEN, *TRACE)
OURS = (RECIPE, "checkpoints", "model", *FILES, *TRACKED)
"""What a run writes, and all that `--fresh` removes."""


class RunFolder:
    """The folder of one run.

    Args:
        path: the folder.
        writes: False in the processes beside the main one: they read, and what they log is dropped.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path = path
        self.writes = writes
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self._metrics = Metrics(path / "metrics.jsonl")
        self._lock: Lock | None = None

    @classmethod
    def open(
        cls,
        out: str,
        name: str,
        recipe: Recipe,
        *,
        text: str = "",
        fresh: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> RunFolder:
        """Make the folder, or find the run that was begun with this recipe, and lock it.

        What another recipe left there before its first step, as where its model could not be
        loaded, makes way.

        Args:
            out: the folder; empty for `runs/NAME`.
            recipe: complete, as resolved.
            text: the recipe as YAML with comments; made from `recipe` where empty.
            fresh: begin again where there is a run already.
            given: fingerprints of what the recipe names, by what that is ("prompts").

        Raises: ConfigError where the folder holds something else; DataError where what the recipe
            names is no longer what the run began with; StorageError where the folder is in use or
            cannot be written.
        """
        folder = cls(Path(out) if out else RUNS / name)
        folder._refuse_foreign()
        with storage_errors(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder._lock = Lock(folder.path)
        try:
            folder._prepare(recipe, text, given or {}, fresh=fresh)
        except BaseException:
            folder.close()
            raise
        return folder

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end: the report is the last thing it writes."""
        return (self.path / REPORT).exists()

    def report(self) -> dict[str, Any]:
        """The figures of a finished run; empty before it has come to its end.

        Raises: DataError where `report.json` cannot be read.
        """
        try:
            text = (self.path / REPORT).read_text(encoding="utf-8")
            figures: dict[str, Any] = json.loads(text)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DataError(
                f"it cannot be read ({error})",
                path=self.path / REPORT,
                remedy=f"{FRESH} trains again; model/ beside it is as the run left it.",
            ) from None
        return figures

    @property
    def has_work(self) -> bool:
        """Whether a step was made, or anything was saved: what would be lost if it began again."""
        saved = self.finished or self.model.exists()
        saved = saved or (self.checkpoints.is_dir() and any(self.checkpoints.iterdir()))
        return saved or any(row["step"] > 0 for row in self.metrics())

    def recipe(self) -> dict[str, Any]:
        """The recipe that the run was begun with; empty before there is one."""
        path = self.path / RECIPE
        return _read_yaml(path.read_text(encoding="utf-8")) if path.exists() else {}

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        """Add the figures of a step to `metrics.jsonl`."""
        if self.writes:
            self._metrics.append(step, figures)

    def forget_after(self, step: int) -> None:
        """Drop the figures after `step`, where the run goes on from."""
        if self.writes:
            self._metrics.forget_after(step)

    def metrics(self) -> list[Row]:
        """The figures so far, by step."""
        return self._metrics.rows()

    def close(self) -> None:
        """Unlock the folder. A second call does nothing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"out: {self.path} is a file, not a folder")
        if not self.path.is_dir():
            return
        is_run = (self.path / LOCK).exists() and (self.path / RECIPE).exists()
        others = [
            entry
            for entry in self.path.iterdir()
            if not is_run and entry.name != LOCK and not is_leftover(entry)
        ]
        if others:
            raise ConfigError(
                f"out: {self.path} is not empty and holds no run (it has {others[0].name!r})",
                remedy="Choose a new folder with out=FOLDER; nothing in this one was touched.",
            )

    def _prepare(self, recipe: Recipe, text: str, given: Mapping[str, str], *, fresh: bool) -> None:
        clear_leftovers(self.path)
        clear_leftovers(self.checkpoints)
        if fresh:
            self._empty()
        before = self.recipe()
        differing = difference(before, recipe) if before else []
        if differing and not self.has_work:
            self._empty()
        elif differing:
            raise ConfigError(
                f"{self.path} holds a run with another recipe; it differs in {_listed(differing)}",
                remedy=f"Choose another folder with out=FOLDER, or begin again here with {FRESH}.",
            )
        if before and self.has_work:
            self._refuse_changed(given)
        written = text or _yaml(recipe)
        if not before or before != _read_yaml(written):  # else a person's comments in it stay
            write_atomically(self.path / RECIPE, written)
        if given:
            write_atomically(self.path / GIVEN, json.dumps(given, indent=2) + "\n")

    def _refuse_changed(self, given: Mapping[str, str]) -> None:
        """Not to go on, nor to hand out the old result, where something else lies under a name."""
        path = self.path / GIVEN
        if not path.exists():  # of an older version
            return
        before = json.loads(path.read_text(encoding="utf-8"))
        for name, digest in given.items():
            if before.get(name, digest) != digest:
                raise changed(name, path)

    def _empty(self) -> None:
        """Remove what the run wrote; what a person put beside it stays."""
        with storage_errors(self.path):
            for entry in (self.path / name for name in OURS):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)


def changed(name: str, record: Path | None = None) -> DataError:
    """The error for a run that would go on with something else than it began with.

    Args:
        name: of what has changed: "prompts", "reward my_rewards.py:polite".
        record: the file of fingerprints, without which nothing is compared.
    """
    kind, _, rest = name.partition(" ")
    remedy = f"Put the old {kind} back to go on, or begin again with {FRESH}."
    if rest and record is not None:  # data are compared by the method as well
        remedy += f" If the change does not matter to this run, remove {record} and go on."
    verb = "has" if rest else "have"  # "prompts" and "data" are many
    return DataError(f"the {name} {verb} changed since this run began", remedy=remedy)


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read_yaml(text: str) -> dict[str, Any]:
    import yaml

    return yaml.safe_load(text) or {}


def _yaml(recipe: Recipe) -> str:
    import yaml

    plain = json.loads(json.dumps(recipe, default=str))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text
