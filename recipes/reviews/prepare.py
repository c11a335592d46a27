"""Make the files of the movie-review recipes: comparisons of sentences, beginnings of reviews.

    python recipes/reviews/prepare.py SENTENCES REVIEWS [--out reviews]

Both inputs are JSON Lines, plain or .gz, of {"text": ..., "label": "pos" or "neg"}: short
sentences to learn sentiment from, and whole reviews whose first words become prompts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HELD_OUT_PAIRS, FEW = 500, 60
EVAL_PROMPTS = 64
WORDS = (4, 8)
"""How many words of a review a prompt has, both included."""


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def write(path: Path, found: Iterable[dict[str, Any]]) -> None:
    """JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found))


def pairs(sentences: list[dict[str, Any]], draw: random.Random) -> list[dict[str, str]]:
    """Every positive sentence beside a negative one of about its length, so that length tells
    nothing.
    """
    sides = [[row["text"] for row in sentences if row["label"] == side] for side in ("pos", "neg")]
    found = [
        {"chosen": good, "rejected": bad}
        for good, bad in zip(*(sorted(side, key=len) for side in sides), strict=False)
    ]
    draw.shuffle(found)
    return found


def beginnings(reviews: list[dict[str, Any]], draw: random.Random) -> list[dict[str, str]]:
    """The first words of each review, with its label kept beside."""
    found = []
    for row in reviews:
        words = row["text"].split()[: draw.randint(*WORDS)]
        found.append({"prompt": " ".join(words), "label": row["label"]})
    draw.shuffle(found)
    return found


def main() -> None:
    """Write pairs, held-out pairs, prompts and evaluation prompts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sentences", type=Path)
    parser.add_argument("reviews", type=Path)
    parser.add_argument("--out", type=Path, default=Path("reviews"))
    options = parser.parse_args()
    draw = random.Random(0)
    compared = pairs(rows(options.sentences), draw)
    begun = beginnings(rows(options.reviews), draw)
    if len(compared) <= HELD_OUT_PAIRS or len(begun) <= EVAL_PROMPTS:
        parser.error(
            f"{len(compared)} sentences of the rarer label and {len(begun)} reviews are too few: "
            f"{HELD_OUT_PAIRS} comparisons and {EVAL_PROMPTS} prompts are held out, the rest trains"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "held_out.jsonl", compared[:HELD_OUT_PAIRS])
    write(options.out / "few_held_out.jsonl", compared[:FEW])
    write(options.out / "pairs.jsonl", compared[HELD_OUT_PAIRS:])
    write(options.out / "eval_prompts.jsonl", begun[:EVAL_PROMPTS])
    write(options.out / "prompts.jsonl", begun[EVAL_PROMPTS:])
    print(f"{len(compared):,} comparisons and {len(begun):,} prompts in {options.out}")


if __name__ == "__main__":
    main()
