"""The files of `luciola sql answer`: prompts in, one SQL a line out, and a report."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import DataError, LuciolaError

if TYPE_CHECKING:
    from luciola.runs.outputs import Output
    from luciola.sql.asking.costs import Prices
    from luciola.sql.asking.model import Answers, Sampling
    from luciola.sql.dail.voting import Vote

BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What ends a line, or a query, for one of the programs that read predictions."""
REASONS_SHOWN = 3


@dataclass(frozen=True)
class Asked:
    """One row of the prompts.

    Args:
        index: the row's own number, or its place.
        database: file on which its answers vote; None where they do not.
    """

    index: int
    db_id: str
    prompt: str
    database: Path | None = None


def read_prompts(path: str, databases: str = "", *, needs_database: bool = False) -> list[Asked]:
    """The prompts of a file; with `databases`, each with its database.

    Args:
        needs_database: whether a row without db_id, or with an index twice, is a mistake.

    Raises: DataError naming the line of a row without a prompt; DatabaseError for a missing file.
    """
    from luciola.cli.predictions import check_numbered
    from luciola.data.readers.record import keys
    from luciola.data.readers.source import rows_of_file
    from luciola.sql.answer import writable
    from luciola.sql.dail.voting import voting_file

    found: list[Asked] = []
    taken: set[int] = set()
    for place, row in enumerate(rows_of_file(path)):
        if "prompt" not in row.values:
            raise row.error(
                f"a row needs a text 'prompt', and this one has {keys(row.values)}",
                remedy="`luciola sql prompts` writes such rows.",
            )
        prompt, db_id = writable(row.string("prompt")), str(row.values.get("db_id") or "")
        number = row.values.get("index")
        index = number if isinstance(number, int) else place
        if needs_database:
            check_numbered(row, db_id, index, taken)
        file = voting_file(databases, db_id) if databases else None
        found.append(Asked(index, db_id, prompt, file))
    if not found:
        raise DataError(
            "holds no prompts",
            path=path,
            remedy="Write some: luciola sql prompts --questions FILE --out PROMPTS.jsonl",
        )
    return found


def decided(
    rows: Sequence[Asked],
    answers: Sequence[Answers],
    databases: str,
    *,
    original: bool,
    timeout_s: float,
) -> list[Vote]:
    """One SQL for each prompt; what was not answered becomes a bare SELECT, which never runs.

    Raises: LuciolaError where nothing was answered at all.
    """
    from luciola.sql.dail.reply import original_line, sql_line
    from luciola.sql.dail.voting import Vote, vote_all, voting_sandbox

    if not any(one.texts for one in answers):
        raise LuciolaError(f"none of {len(rows)} prompts was answered: {answers[0].error}")
    reading = original_line if original else sql_line
    queries = [[one_line(reading(text)) for text in one.texts or ("",)] for one in answers]
    places = [row.database for row in rows if row.database is not None]
    if not places:
        return [Vote(found[0], votes=1, ran=0, asked=len(found)) for found in queries]
    with voting_sandbox(workers=min(8, os.cpu_count() or 1), timeout_s=timeout_s) as sandbox:
        return vote_all(queries, places, sandbox)


def one_line(sql: str) -> str:
    """The query without what would break a line in two, also within its strings."""
    from luciola.sql.answer import writable

    return BREAKS.sub(" ", writable(sql))


def report(
    out: Output,
    model: str,
    sampling: Sampling,
    rows: Sequence[Asked],
    answers: Sequence[Answers],
    chosen: Sequence[Vote],
    prices: Prices,
    seconds: float,
) -> None:
    """Write everything as JSON: a summary, and each prompt's answers."""
    from luciola.sql.asking.costs import costs_of

    summary: dict[str, Any] = {"model": model, "seconds": round(seconds, 3)}
    summary |= {"sampling": asdict(sampling), **asdict(costs_of(answers, prices))}
    examples = [
        {
            "index": row.index,
            "db_id": row.db_id,
            "sql": vote.sql,
            "votes": vote.votes if row.database else None,
            "answers": one.texts,
            "prompt_tokens": one.prompt_tokens,
            "answer_tokens": one.answer_tokens,
            "cached": one.cached,
            "cut": one.cut,
            "error": one.error or None,
        }
        for row, one, vote in zip(rows, answers, chosen, strict=True)
    ]
    content = {"summary": summary, "examples": examples}
    out.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def told(
    out: str,
    answers: Sequence[Answers],
    chosen: Sequence[Vote],
    prices: Prices,
    seconds: float,
    *,
    max_tokens: int,
) -> Iterator[str]:
    """What came of it, in words."""
    from luciola.data.summary import counted
    from luciola.sql.asking.costs import costs_of

    yield f"{counted(len(chosen), 'line')} in {out}"
    yield f"{costs_of(answers, prices)}, {seconds:.1f} s"
    if any(vote.asked > 1 for vote in chosen):
        share = sum(vote.votes / vote.asked for vote in chosen) / len(chosen)
        none = sum(vote.ran == 0 for vote in chosen)
        yield f"votes: {share:.0%} for the answer on average, {none} where none ran"
    yield from _incomplete(answers, max_tokens)
    failed = [(number, one.error) for number, one in enumerate(answers, 1) if not one.texts]
    if failed:
        yield f"not answered: {len(failed)}, whose line is a bare SELECT that never runs"
        yield from (f"  line {number}: {error}" for number, error in failed[:REASONS_SHOWN])


def _incomplete(answers: Sequence[Answers], max_tokens: int) -> Iterator[str]:
    """How many answers are cut off, and how many hold thoughts alone."""
    from luciola.sql.answer import without_thoughts

    texts = [text for one in answers for text in one.texts]
    thoughts = sum(not without_thoughts(text).strip() for text in texts)
    cut = sum(len(one.cut) for one in answers)
    if cut:
        yield (
            f"cut off after {max_tokens} tokens: {cut} of {len(texts)} "
            f"{'answer' if len(texts) == 1 else 'answers'}; allow more with --max-tokens"
        )
    if thoughts:
        yield f"thoughts without an answer: {thoughts} of {len(texts)}; their SQL is a bare SELECT"
