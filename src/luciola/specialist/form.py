"""How a representation of DAIL-SQL is put to a model, while it learns and when it is asked.

Prompt and answer are encoded apart, so that training sees the very tokens that asking will. A
representation ends in `SELECT ` with a blank, and what follows is the rest of the query. Most
tokenizers make a blank part of the word behind it (` count` is one token): here it is a token of
its own, and `count` has none before it, which a model meets seldom elsewhere but learns soon.
With `strip_suffix` the blank begins the answer, as in ordinary text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luciola.errors import DataError
from luciola.specialist.expertise import Expertise
from luciola.sql.dail.reply import continuation, sql_line
from luciola.types import Completion, Conversation, Message, Origin

if TYPE_CHECKING:
    from luciola.conversation.render import Renderer

BEGINS = re.compile(r"\s*SELECT\s", re.IGNORECASE)
NOWHERE = Origin()


class UnusableError(DataError):
    """A pair or a question that cannot be put in the model's form."""


class Form:
    """The way in which one model reads representations.

    Args:
        expertise: how it was taught; one of a prompt of our own means raw text, nothing stripped.
        renderer: of the model's tokenizer.
    """

    def __init__(self, expertise: Expertise, renderer: Renderer) -> None:
        self.expertise = expertise
        self.renderer = renderer

    def ids(self, prompt: str) -> list[int]:
        """The tokens of a prompt that a representation wrote."""
        text = self.expertise.stripped(prompt)
        if self.expertise.chat:
            return self.renderer.prompt_ids([Message("user", text)])
        return self.renderer.text_prompt_ids(text)

    def example(
        self, prompt: str, query: str, origin: Origin = NOWHERE
    ) -> Completion | Conversation:
        """What is trained: the prompt, whose tokens are those of `ids`, and the rest of the query.

        Raises: UnusableError where the query does not begin with SELECT, as the prompt ends.
        """
        if not BEGINS.match(query):
            raise UnusableError(
                f"the prompt ends in SELECT, and this query begins with {query[:20]!r}",
                path=origin.path or None,
                line=origin.line or None,
            )
        text, answer = self.expertise.stripped(prompt), continuation(query)
        if self.expertise.chat:
            return Conversation((Message("user", text), Message("assistant", answer)), origin)
        blank = prompt[len(text) :]
        return Completion(text, blank + answer, origin)

    def sql(self, answer: str) -> str:
        """The SQL in what the model wrote behind a prompt, in one line."""
        if self.expertise.chat or BEGINS.match(answer):
            return sql_line(answer)
        return sql_line(f"SELECT {answer.lstrip()}")
