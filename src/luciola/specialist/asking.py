"""Asking a database in words: a model writes SQL, a sandbox runs it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from luciola.conversation.render import Renderer
from luciola.errors import SqlError
from luciola.models.answering import best_device, load_for_answers
from luciola.models.load import load_tokenizer
from luciola.models.source import resolve
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.text import answer
from luciola.specialist.expertise import Expertise
from luciola.specialist.form import Form, UnusableError
from luciola.specialist.reading import Reading
from luciola.specialist.represented import Represented
from luciola.sql.sandbox import Result, Sandbox
from luciola.types import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION_ROOM = 192
"""Tokens left for a question and what the template puts around it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What came of one question.

    Args:
        sql: what the model wrote.
        result: its rows; None where it did not run.
        error: why it did not run.
        seconds: from the question to the rows.
    """

    sql: str
    result: Result | None
    error: SqlError | None
    seconds: float


class Writer:
    """A model that writes SQL, for any number of databases.

    Args:
        model: bundled name, folder, GGUF file or hub id.
        device: "auto", "cpu" or "cuda".
        max_new_tokens: longest SQL.
        batch: questions answered at once; None: as many as the device answers fastest.
        progress: called now and then with (answers finished, answers in all).
        trust_remote_code: run Python code that comes with the model.

    Raises: ModelError if the model cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: str = "auto",
        max_new_tokens: int = 160,
        batch: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        trusted = trust_remote_code
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(model, trust_remote_code=trusted)
        self.renderer = Renderer(self.tokenizer)
        self.expertise = Expertise.load(resolve(model).location)
        self.form = Form(self.expertise, self.renderer)
        loaded: Any = load_for_answers(str(model), best_device(device), trust_remote_code=trusted)
        self.context = int(loaded.config.get_text_config().max_position_embeddings)
        self.sampling = Sampling(max_new_tokens=min(max_new_tokens, self.context // 4))
        ends = set(self.renderer.end_ids())
        self.sampler = NaiveSampler(loaded, end_ids=ends, tokenizer=self.tokenizer, batch=batch)
        self.sampler.progress = progress

    def read(self, database: str | Path) -> Reading | Represented:
        """A database as this model was taught to read one."""
        room = self.context - self.sampling.max_new_tokens
        count = token_counter(self.tokenizer)
        chosen = self.expertise.representation
        if chosen is not None:
            return Represented.of(database, chosen, self.form, room=room, count_tokens=count)
        room -= min(QUESTION_ROOM, self.context // 4)
        return Reading.of(database, self.expertise, budget=room, count_tokens=count)

    def write(
        self, readings: Sequence[Reading | Represented], questions: Sequence[str]
    ) -> list[str]:
        """The SQL for each question about its database, greedily.

        "" with a notice for a question that does not fit into the model's context.
        """
        prompts = [
            self.prompt_ids(reading, question)
            for reading, question in zip(readings, questions, strict=True)
        ]
        fitting = [prompt for prompt in prompts if prompt]
        answers = iter(answer(self.sampler, self.tokenizer, fitting, self.sampling))
        return [
            reading.sql(next(answers).text) if prompt else ""
            for reading, prompt in zip(readings, prompts, strict=True)
        ]

    def prompt_ids(self, reading: Reading | Represented, question: str) -> list[int]:
        """The tokens of a question, as the model was taught with; none where they do not fit."""
        if isinstance(reading, Reading):
            return self.renderer.prompt_ids(reading.messages(question))
        try:
            return reading.prompt_ids(question)
        except UnusableError as error:
            log.warning("%s", error)
            return []


def token_counter(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], int]:
    """A function that counts a text's tokens."""

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


class Specialist:
    """A writer and the database it is asked about.

    Args:
        writer: the model.
        database: path or URL.
        timeout_s: seconds that one query may run.
    """

    def __init__(self, writer: Writer, database: str | Path, *, timeout_s: float = 5.0) -> None:
        self.writer = writer
        self.reading = writer.read(database)
        self.sandbox = Sandbox(database, timeout_s=timeout_s)

    def ask(self, question: str) -> Reply:
        """Write SQL for a question and run it; never raises for what the model wrote."""
        began = time.perf_counter()
        sql = self.writer.write([self.reading], [question])[0]
        try:
            result = self.sandbox.run(sql, truncate=True)
        except SqlError as error:
            return Reply(sql, None, error, time.perf_counter() - began)
        return Reply(sql, result, None, time.perf_counter() - began)

    def close(self) -> None:
        """Stop the sandbox's workers."""
        self.sandbox.close()

    def __enter__(self) -> Specialist:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
