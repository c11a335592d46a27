"""Asking a database in words: a model writes SQL, a sandbox runs it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from luciola.conversation.render import Renderer
from luciola.errors import LuciolaError, ModelError, SqlInvalidError
from luciola.models.answering import best_device, load_for_answers
from luciola.models.load import load_tokenizer
from luciola.models.source import resolve, version_of
from luciola.rollout.engine.building import build
from luciola.specialist.expertise import Expertise, changes, columns_of, same_place
from luciola.specialist.form import Form, UnusableError
from luciola.specialist.reading import Reading
from luciola.specialist.represented import Represented
from luciola.specialist.written import Keeping, Written, texts_of
from luciola.sql.answer import writable
from luciola.sql.asking.cache import AnswerCache
from luciola.sql.database.allowed import Allowed
from luciola.sql.execution import TOO_DEEP
from luciola.sql.sandbox import Result, Sandbox
from luciola.sql.schema import read_schema
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
        error: why it did not run, or why nothing was written.
        seconds: from the question to the rows.
    """

    sql: str
    result: Result | None
    error: LuciolaError | None
    seconds: float


class Writer:
    """A model that writes SQL, for any number of databases.

    Args:
        model: bundled name, folder, GGUF file or hub id.
        device: "auto", "cpu" or "cuda".
        max_new_tokens: longest SQL.
        batch: questions answered at once; None: as many as the device answers fastest.
        progress: called now and then with (answers finished, answers to write in all).
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
        place = best_device(device)
        loaded: Any = load_for_answers(str(model), place, trust_remote_code=trusted)
        self.name = str(model)
        self.version = f"{version_of(model)} {place.type} {loaded.dtype}"
        self.context = int(loaded.config.get_text_config().max_position_embeddings)
        self.sampling = Sampling(max_new_tokens=min(max_new_tokens, self.context // 4))
        ends = set(self.renderer.end_ids())
        self.sampler = build(
            loaded, adopt=True, end_ids=ends, tokenizer=self.tokenizer, batch=batch
        )
        self.progress = progress

    def read(self, database: str | Path, allowed: Allowed | None = None) -> Reading | Represented:
        """A database, or what is allowed of it, as this model was taught to read one."""
        room = self.context - self.sampling.max_new_tokens
        count = token_counter(self.tokenizer)
        chosen = self.expertise.representation
        if chosen is not None:
            return Represented.of(
                database, chosen, self.form, room=room, count_tokens=count, allowed=allowed
            )
        room -= min(QUESTION_ROOM, self.context // 4)
        return Reading.of(
            database, self.expertise, budget=room, count_tokens=count, allowed=allowed
        )

    def write(
        self, readings: Sequence[Reading | Represented], questions: Sequence[str]
    ) -> list[str]:
        """The SQL for each question about its database, greedily; "" with a notice for none."""
        written = self.written(readings, questions)
        for one in written:
            if one.failure:
                log.warning("%s", one.failure)
        return [one.sql for one in written]

    def written(
        self,
        readings: Sequence[Reading | Represented],
        questions: Sequence[str],
        *,
        cache: AnswerCache | None = None,
    ) -> list[Written]:
        """The SQL for each question about its database, greedily, or why there is none.

        Args:
            cache: answers of an earlier time, which is added to as answers come.
        """
        prompts = [
            self._fitting(reading, writable(question))
            for reading, question in zip(readings, questions, strict=True)
        ]
        texts = iter(
            texts_of(
                [prompt for prompt in prompts if not isinstance(prompt, str)],
                self.sampling,
                self.sampler,
                self.tokenizer,
                at_once=self.sampler.batch,
                keeping=Keeping(cache, self.version) if cache is not None else None,
                progress=self.progress,
            )
        )
        found = []
        for reading, prompt in zip(readings, prompts, strict=True):
            one = Written("", prompt) if isinstance(prompt, str) else next(texts)
            found.append(one if one.failure else replace(one, sql=writable(reading.sql(one.sql))))
        return found

    def _fitting(self, reading: Reading | Represented, question: str) -> list[int] | str:
        """The tokens of a question, or why there is no room for them."""
        try:
            ids = self._ids(reading, question)
        except UnusableError as error:
            return f"{error.message} ({error.remedy})" if error.remedy else error.message
        if len(ids) + self.sampling.max_new_tokens // 4 <= self.context:
            return ids
        return (
            f"the question is too long: with the schema it takes {len(ids):,} tokens, and the "
            f"model sees {self.context:,} with the answer"
        )

    def _ids(self, reading: Reading | Represented, question: str) -> list[int]:
        if isinstance(reading, Reading):
            return self.renderer.prompt_ids(reading.messages(question))
        return reading.prompt_ids(question)

    def prompt_ids(self, reading: Reading | Represented, question: str) -> list[int]:
        """The tokens of a question, as the model was taught with; none where they do not fit."""
        found = self._fitting(reading, question)
        if not isinstance(found, str):
            return found
        log.warning("%s", found)
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
        allowed: the tables, views and columns that may be read; None: those that the model was
            trained on, on another database all.
    """

    def __init__(
        self,
        writer: Writer,
        database: str | Path,
        *,
        timeout_s: float = 5.0,
        allowed: Allowed | None = None,
    ) -> None:
        self.writer = writer
        self.database = database
        self.allowed = writer.expertise.allowed_on(database) if allowed is None else allowed
        self.reading = writer.read(database, self.allowed)
        self.sandbox = Sandbox(
            database, timeout_s=timeout_s, allowed=self.allowed, strict_quotes=True
        )

    def changes(self) -> list[str]:
        """How the schema differs from the one that the model was trained on.

        Nothing is told where another part of it may be read than then: what is hidden would be
        named.
        """
        expertise = self.writer.expertise
        if self.allowed != expertise.allowed or expertise.schema is None:
            return []
        return changes(expertise.schema, columns_of(read_schema(self.database, self.allowed)))

    @property
    def is_another(self) -> bool:
        """Whether the model was trained on one database, and this is another, or has moved."""
        trained_on = self.writer.expertise.database
        return bool(trained_on) and not same_place(trained_on, self.database)

    def ask(self, question: str) -> Reply:
        """Write SQL for a question and run it; never raises for what the model wrote."""
        began = time.perf_counter()
        written = self.writer.written([self.reading], [question])[0]
        result, error = self._run(written.sql) if not written.failure else (None, None)
        if written.failure:
            error = ModelError(written.failure, remedy="Ask a shorter question.")
        return Reply(written.sql, result, error, time.perf_counter() - began)

    def _run(self, sql: str) -> tuple[Result | None, LuciolaError | None]:
        try:
            return self.sandbox.run(sql, truncate=True), None
        except RecursionError:
            return None, SqlInvalidError(TOO_DEEP)
        except LuciolaError as error:
            return None, error

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
