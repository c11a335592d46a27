"""A database that is locked or gone while a study judges costs only its own questions' verdicts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from luciola.config.study import StudyConfig
from luciola.specialist.study.running import run
from luciola.specialist.study.study import Study

StudyOf = Callable[..., StudyConfig]


@pytest.mark.parametrize("how", ["locked", "gone"])
def test_verdicts_that_a_database_withheld_are_made_at_the_second_start(
    study_of: StudyOf,
    scripted: Any,
    zoo: Path,
    how: str,
) -> None:
    """The first start reads the database, asks, and finds it unreadable when it judges."""
    file = zoo / "database" / "zoo" / "zoo.sqlite"
    content = file.read_bytes()
    config = study_of(grids=[{"representations": ["TR_P"]}])
    model = scripted()
    answer = model.answer

    with closing(sqlite3.connect(file, isolation_level=None)) as other:

        def answer_and_withhold(*given: Any) -> Any:
            if how == "gone":
                file.unlink()
            else:
                other.execute("BEGIN EXCLUSIVE")
            return answer(*given)

        model.answer = answer_and_withhold
        run(config, model.opened, show=False)
    file.write_bytes(content)
    (found,) = Study(config).results()
    assert found.unreadable == 6
    assert found.share("ex") is None
    assert len(Study(config).unfinished()) == 1
    run(config, scripted().opened, show=False)
    (found,) = Study(config).results()
    assert (found.unreadable, found.share("ex")) == (0, 1.0)
    assert Study(config).unfinished() == []
