"""Comparisons of answers, split into what the three steps of RLHF learn from.

    python recipes/preference/split.py COMPARISONS OUT [--held-out 0.1]

COMPARISONS is any file of preferences that `luciola train reward` reads. OUT gets chosen.jsonl (the
best answers, to imitate), comparisons.jsonl and held_out.jsonl (for the reward model), and
prompts.jsonl and eval_prompts.jsonl (to answer in PPO). The held-out prompts are in no other file.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from luciola.data.preferences import read_preferences
from luciola.types import Message, Preference


def turns(prompt: str | tuple[Message, ...]) -> list[dict[str, str]]:
    """The prompt as chat messages; a plain text is a user's."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": message.role, "content": message.content} for message in prompt]


def conversation(one: Preference) -> dict[str, Any]:
    """The prompt with its best answer."""
    return {"messages": [*turns(one.prompt), {"role": "assistant", "content": one.answers[0]}]}


def comparison(one: Preference) -> dict[str, Any]:
    """The best answer beside the worst."""
    prompt = turns(one.prompt)
    sides = {"chosen": one.answers[0], "rejected": one.answers[-1]}
    answers = {k: [{"role": "assistant", "content": text}] for k, text in sides.items()}
    return {"prompt": prompt, **answers}


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def main() -> None:
    """Write the five files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("comparisons")
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", type=float, default=0.1)
    options = parser.parse_args()
    found = list(read_preferences(options.comparisons).preferences)
    random.Random(0).shuffle(found)
    aside = max(1, round(options.held_out * len(found)))
    held_out, training = found[:aside], found[aside:]
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "chosen.jsonl", map(conversation, training))
    write(options.out / "comparisons.jsonl", map(comparison, training))
    write(options.out / "held_out.jsonl", map(comparison, held_out))
    write(options.out / "prompts.jsonl", ({"prompt": turns(one.prompt)} for one in training))
    write(options.out / "eval_prompts.jsonl", ({"prompt": turns(one.prompt)} for one in held_out))
    print(f"{len(training):,} comparisons to train on and {aside:,} held out in {options.out}")


if __name__ == "__main__":
    main()
