"""Takes every family through the stages of tests/families and writes its table into docs/models.md.

    python bench/model_families.py

Three minutes on one core.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- table: bench/model_families.py -->", "<!-- end of table -->"
sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    """Examine all, print as they come, and rewrite the page's table."""
    from families.expectations import LIMITS
    from families.stages import examine
    from families.tiny_models import FAMILIES

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    working, stopping = [], []
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            outcome = examine(family, Path(folder))
        print(family, outcome.failed or "works", outcome.attention, flush=True)
        if not outcome.failed:
            rows = "packed, trees" if outcome.tree else "packed" if outcome.packed else "padded"
            working.append(f"| {family} | {outcome.attention} | {rows} |")
        else:
            reason = LIMITS[family].reason if family in LIMITS else outcome.reason
            stopping.append(f"| {family} | {outcome.failed} | {reason} |")
    write(working, stopping)


def write(working: list[str], stopping: list[str]) -> None:
    """Put both tables between the page's marks."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    parts = [
        f"{len(working)} of {len(working) + len(stopping)} families do everything:",
        "\n".join(["| family | attention | rows |", "| --- | --- | --- |", *working]),
        "These fail somewhere, or were not tried:",
        "\n".join(["| family | at | why |", "| --- | --- | --- |", *stopping]),
    ]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
