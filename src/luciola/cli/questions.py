"""Questions and replies on the terminal."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from luciola.cli.terminal import bounded, say
from luciola.errors import ConfigError

if TYPE_CHECKING:
    from luciola.specialist.asking import Reply, Specialist

PROMPT = "question> "
ROWS_SHOWN = 20


def answer_one(specialist: Specialist, question: str) -> None:
    """Ask once; exit status 1 where the SQL does not run.

    Raises: SqlError, so that the command ends in its sentence.
    """
    reply = specialist.ask(question)
    _show(reply)
    if reply.error is not None:
        raise reply.error


def answer_all(specialist: Specialist) -> None:
    """Ask every line of the input; on a terminal with a prompt, until an empty line or Ctrl-D.

    Raises: ConfigError where an input that is no terminal holds no question.
    """
    asked_by_a_person = sys.stdin.isatty()
    asked = 0
    if asked_by_a_person:
        say(f"Ask about {specialist.reading.database}; an empty line ends.")
    while True:
        if asked_by_a_person:
            sys.stdout.write(PROMPT)
            sys.stdout.flush()
        line = sys.stdin.readline()
        question = line.strip()
        if not line or (asked_by_a_person and not question):
            break
        if question:
            asked += 1
            reply = specialist.ask(question)
            _show(reply)
            if reply.error is not None:
                say(bounded(f"error: {reply.error}"))
            say("")
    if not (asked or asked_by_a_person):
        raise ConfigError(
            "the input holds no question",
            remedy="Give a question on the command line, or one a line: … < questions.txt",
        )


def _show(reply: Reply) -> None:
    """The SQL and its rows; nothing where no SQL was written."""
    if text := shown(reply):
        say(text)


def shown(reply: Reply) -> str:
    """The SQL, the rows, and the seconds from the question to them."""
    from luciola.sql.table import table_text

    lines = [reply.sql]
    if reply.result is not None:
        rows = len(reply.result.rows)
        terminal = get_terminal_size().columns if sys.stdout.isatty() else None
        lines.append(table_text(reply.result, max_rows=ROWS_SHOWN, terminal=terminal))
        more = " or more" if reply.result.truncated else ""
        lines.append(f"{rows:,} row{'s' * (rows != 1)}{more} in {reply.seconds:.2f} s")
    return "\n".join(lines)
