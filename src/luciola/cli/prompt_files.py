"""The files of `luciola sql prompts`: first answers in, one prompt a line out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luciola.sql.dail.organization import Prompt
    from luciola.sql.dail.prompting import FewShot
    from luciola.sql.question import Question

SHOWN = 5


def with_predictions(asked: Sequence[Question], path: str) -> Sequence[Question]:
    """Each question with its line of the file `path`; as they are where none is named.

    Raises: DataError where the numbers differ.
    """
    if not path:
        return asked
    from luciola.sql.official.files import read_predictions

    sqls = read_predictions(Path(path), len(asked), "questions")
    return [replace(row, prediction=sql) for row, sql in zip(asked, sqls, strict=True)]


def write_prompts(out: str, asked: Sequence[Question], made: Iterable[Prompt], way: FewShot) -> str:
    """Write the prompts, and say how many there are and what the budget left out."""
    from luciola.cli.output import write_whole

    prompts = list(made)
    rows = enumerate(zip(asked, prompts, strict=True))
    write_whole(out, "".join(_line(index, row, prompt) for index, (row, prompt) in rows))
    summary = f"{len(asked)} prompts in {out}"
    if way.shots:
        shown = [len(prompt.examples) for prompt in prompts]
        mean = sum(shown) / len(shown)
        summary += f", {mean:.1f} examples each, at least {min(shown)} of {way.shots}"
    return "\n".join([summary, *_too_long(prompts, way)])


def _line(index: int, row: Question, prompt: Prompt) -> str:
    values = {"index": index, "db_id": row.db_id, "question": row.question, "prompt": prompt.text}
    return json.dumps(values, ensure_ascii=False) + "\n"


def _too_long(prompts: Sequence[Prompt], way: FewShot) -> Iterator[str]:
    """Which prompts pass the budget even without examples; they are written all the same."""
    budget = way.budget
    if budget is None:
        return
    bare = [(index, prompt.text) for index, prompt in enumerate(prompts) if not prompt.examples]
    if found := [str(index) for index, text in bare if not budget.holds(text)]:
        named = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
        yield (
            f"too long for {budget.context} tokens with their answer, even without examples: "
            f"{len(found)}, index {named}"
        )
