"""From replies to verdicts: the SQL of each, the vote where there are several, and the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from luciola.config.study import StudyConfig
from luciola.specialist.study.material import Material
from luciola.sql.asking.model import Answers
from luciola.sql.dail.reply import original_line, sql_line
from luciola.sql.dail.voting import vote_all, voting_file, voting_sandbox
from luciola.sql.official.evaluate import Judged, Options, evaluate
from luciola.sql.official.files import Example


def read_replies(config: StudyConfig, material: Material, answers: Sequence[Answers]) -> list[str]:
    """One SQL for each question, "" where there was no answer; of several answers the vote's."""
    read = original_line if config.original else sql_line
    several = [[read(text) for text in each.texts] for each in answers]
    chosen = [sqls[0] if sqls else "" for sqls in several]
    places = [place for place, sqls in enumerate(several) if len(sqls) > 1]
    if not places:
        return chosen
    databases = [voting_file(material.folder, material.questions[p].db_id) for p in places]
    with voting_sandbox(workers=config.workers, timeout_s=config.timeout) as sandbox:
        votes = vote_all([several[place] for place in places], databases, sandbox)
    for place, vote in zip(places, votes, strict=True):
        chosen[place] = vote.sql
    return chosen


def judge(config: StudyConfig, material: Material, sqls: Sequence[str]) -> list[Judged]:
    """The verdicts, in the order of the questions."""
    examples = [
        Example(asked.query, asked.db_id, sql)
        for asked, sql in zip(material.questions, sqls, strict=True)
    ]
    options = Options(
        metrics=material.metrics,
        official=config.original,
        timeout_s=config.timeout,
        workers=config.workers,
    )
    return evaluate(examples, material.folder, material.entries, options)
