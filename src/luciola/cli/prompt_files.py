"""The files of `luciola sql prompts`: first answers in, one prompt a line out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luciola.runs.outputs import Output
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

    sqls = read_predictions(Path(path), len(asked), "questions", whole_lines=True)
    return [replace(row, prediction=sql) for row, sql in zip(asked, sqls, strict=True)]


def write_prompts(
    out: Output,
    asked: Sequence[Question],
    made: Iterable[Prompt],
    way: FewShot,
    pool: Sequence[Question] = (),
) -> str:
    """Write the prompts, and say how many there are and what was left out.

    Args:
        pool: what examples were chosen from.
    """
    from luciola.data.summary import counted
    from luciola.sql.dail.same import same_questions

    prompts = list(made)
    itself = [len(same) for same in same_questions(asked, pool)]
    rows = enumerate(zip(asked, prompts, itself, strict=True))
    lines = [_line(index, row, prompt, same, way) for index, (row, prompt, same) in rows]
    out.write("".join(lines))
    summary = f"{counted(len(asked), 'prompt')} in {out.name}"
    if way.shots:
        shown = [len(prompt.examples) for prompt in prompts]
        mean = sum(shown) / len(shown)
        summary += f", {mean:.1f} examples each, at least {min(shown)} of {way.shots}"
    return "\n".join([summary, *_own_gold(asked, prompts, itself, way), *_too_long(prompts, way)])


def _own_gold(
    asked: Sequence[Question], prompts: Sequence[Prompt], itself: Sequence[int], way: FewShot
) -> Iterator[str]:
    """Questions that stand in the pool themselves, and prompts that show their gold query."""
    from luciola.sql.dail.same import shows_gold

    found = sum(map(bool, itself))
    if found and way.allow_self:
        yield f"{found} questions stand in the pool themselves, and may be their own example"
    elif found:
        yield (
            f"{found} questions stand in the pool themselves; they are left out of their own "
            "examples (--allow-self shows them)"
        )
    pairs = zip(asked, prompts, strict=True)
    gold = [shows_gold(row, [(one.db_id, one.query) for one in p.examples]) for row, p in pairs]
    if any(gold):
        yield f"{sum(gold)} prompts show their own gold SQL in an example"


def _line(index: int, row: Question, prompt: Prompt, same: int, way: FewShot) -> str:
    values = {"index": index, "db_id": row.db_id, "question": row.question, "prompt": prompt.text}
    left_out = {"same_left_out": same} if same and not way.allow_self else {}
    return json.dumps({**values, **left_out}, ensure_ascii=False) + "\n"


def _too_long(prompts: Sequence[Prompt], way: FewShot) -> Iterator[str]:
    """Which prompts pass the budget even without examples; they are written all the same."""
    budget = way.budget
    if budget is None:
        return
    bare = [(line, prompt.text) for line, prompt in enumerate(prompts, 1) if not prompt.examples]
    if found := [str(line) for line, text in bare if not budget.holds(text)]:
        named = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
        yield (
            f"too long for {budget.context} tokens with their answer, even without examples: "
            f"{len(found)}, line {named}"
        )
