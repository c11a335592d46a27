"""`metrics.jsonl`: a JSON object per line, written at once: a kill loses at most the last line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from luciola.runs.atomic import storage_errors, write_atomically

Row = dict[str, Any]


class Metrics:
    """The figures of a run by step, in a file that is only appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, step: int, figures: Mapping[str, Any]) -> None:
        """Add a line. Raises: StorageError on a full disk."""
        line = json.dumps({"step": step, **_finite(figures)}, ensure_ascii=False) + "\n"
        with storage_errors(self.path, len(line)), self.path.open("a", encoding="utf-8") as file:
            file.write(line)

    def rows(self) -> list[Row]:
        """Every complete line, oldest first."""
        return list(self._complete())

    def forget_after(self, step: int) -> None:
        """Drop the lines after `step`, and a last line that was cut off by a kill."""
        if self.path.exists():
            kept = [row for row in self._complete() if row["step"] <= step]
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
            write_atomically(self.path, "".join(lines))

    def _complete(self) -> Iterator[Row]:
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        for line in text.split("\n"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:  # cut off by a kill
                continue


def _finite(figures: Mapping[str, Any]) -> Row:
    """JSON has no NaN and no infinity: such a figure is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }
