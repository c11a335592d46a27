"""`luciola sql prompts`: DAIL-SQL's prompts for the questions of a file or data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.flags import Overwrite
from luciola.cli.terminal import say
from luciola.errors import ConfigError, DatabaseError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from luciola.sql.dail.databases import Databases
    from luciola.sql.dail.organization import Budget
    from luciola.sql.dail.prompting import Compare
    from luciola.sql.dail.selection import Selection
    from luciola.sql.datasets.dataset import Dataset
    from luciola.sql.question import Question


def prompts(
    questions: Annotated[
        str,
        typer.Option("--questions", help="Rows with db_id and question, or a folder: spider:dev."),
    ],
    out: Annotated[str, typer.Option("--out", help="Write one prompt a line here, as JSONL.")],
    databases: Annotated[
        str,
        typer.Option("--databases", help="Folder of ID/ID.sqlite files; default: the dataset's."),
    ] = "",
    tables: Annotated[str, typer.Option("--tables", help="tables.json of the databases.")] = "",
    representation: Annotated[
        str, typer.Option("--representation", help="BS_P, TR_P, OD_P, CR_P, AS_P, CBR, SQLCOT, …")
    ] = "CR_P",
    foreign_keys: Annotated[
        bool | None, typer.Option("--foreign-keys/--no-foreign-keys", help="Show foreign keys.")
    ] = None,
    rule: Annotated[
        bool | None, typer.Option("--rule/--no-rule", help='Say "with no explanation".')
    ] = None,
    step_by_step: Annotated[
        bool, typer.Option("--step-by-step", help="Ask the model to reason step by step.")
    ] = False,
    pool: Annotated[str, typer.Option("--pool", help="Examples, as rows or a folder.")] = "",
    selection: Annotated[
        str,
        typer.Option(
            "--selection", help="RANDOM, QTS_S, MQS_S, QRS_S, DAIL_S (default) or ORACLE."
        ),
    ] = "",
    organization: Annotated[
        str, typer.Option("--organization", help="FI_O, SO_O, DAIL_O (default), or QAWRULE …")
    ] = "",
    shots: Annotated[
        int | None, typer.Option("--shots", min=0, help="Examples before a question; default 9.")
    ] = None,
    predictions: Annotated[
        str, typer.Option("--predictions", help="A first answer to each question, one SQL a line.")
    ] = "",
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0, max=1, help="Similarity of skeletons that DAIL_S needs."
        ),
    ] = 0.85,
    similarity: Annotated[
        str, typer.Option("--similarity", help="bm25, minilm, mpnet, or an encoder's folder.")
    ] = "bm25",
    embeddings: Annotated[
        str, typer.Option("--embeddings", help="Folder that stores the vectors.")
    ] = "",
    corenlp: Annotated[
        str, typer.Option("--corenlp", help="Words from this CoreNLP server: http://localhost:9000")
    ] = "",
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", help="Count with this model's, or a tiktoken encoding.")
    ] = "",
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run Python code that --tokenizer brings."),
    ] = False,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=0, help="Prompt and answer; 0: no limit.")
    ] = 0,
    max_answer_tokens: Annotated[
        int, typer.Option("--max-answer-tokens", min=0, help="Tokens reserved for the answer.")
    ] = 200,
    cross_domain: Annotated[
        bool, typer.Option("--cross-domain", help="No examples of the question's own database.")
    ] = False,
    allow_self: Annotated[
        bool,
        typer.Option(
            "--allow-self", help="A question may be its own example, with its SQL, as published."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write DAIL-SQL's prompts for questions, with examples or without.

    luciola sql prompts --questions spider:dev --out prompts.jsonl
    """
    from luciola.cli.prompt_files import with_predictions, write_prompts
    from luciola.runs.outputs import DATABASES, check_output
    from luciola.sql.dail.embedding import check_vectors_folder
    from luciola.sql.dail.organization import organization as organization_of
    from luciola.sql.dail.prompting import FewShot, with_examples, zero_shot
    from luciola.sql.dail.representation import representation as representation_of
    from luciola.sql.dail.selection import selection as selection_of
    from luciola.sql.datasets.dataset import open_dataset

    chosen = representation_of(
        representation, foreign_keys=foreign_keys, rule=rule, step_by_step=step_by_step
    )
    read = (questions, (databases, DATABASES), tables, pool, predictions, similarity, tokenizer)
    output = check_output(out, inputs=read, overwrite=overwrite, signed=True)
    if embeddings:
        check_vectors_folder(Path(embeddings).expanduser())
    if not pool:
        _check_zero_shot(selection, organization, predictions, shots)
    way = FewShot(
        selection=selection_of(selection or "DAIL_S"),
        organization=organization_of(organization or "DAIL_O"),
        shots=(9 if shots is None else shots) if pool else 0,
        threshold=threshold,
        budget=_budget(tokenizer, max_tokens, max_answer_tokens, trusted=trust_remote_code),
        cross_domain=cross_domain,
        allow_self=allow_self,
    )
    opened = [open_dataset(questions)]
    asked = with_predictions(opened[0].questions, predictions)
    if way.shots:
        opened.append(open_dataset(pool, needs_query=True))
    place = _databases(databases, tables, opened, corenlp)
    _tell_of_differences(place, asked)
    if way.shots:
        examples = opened[1].questions
        way = replace(way, selection=_possible(way.selection, asked))
        compare = _compare(similarity, embeddings)
        made = with_examples(chosen, way, asked, examples, place, compare)
    else:
        made = zero_shot(chosen, asked, place)
    examples_of = opened[1].questions if way.shots else ()
    say(write_prompts(output, asked, made, way, examples_of), err=output.is_stdout)


def _check_zero_shot(
    selection: str, organization: str, predictions: str, shots: int | None
) -> None:
    """Raises: ConfigError for what only examples need, where there is no pool of them."""
    given = {
        "--selection": selection,
        "--organization": organization,
        "--predictions": predictions,
        "--shots": shots,
    }
    if named := [name for name, value in given.items() if value]:
        raise ConfigError(
            f"without --pool there are no examples, and {', '.join(named)} means nothing",
            remedy="Give --pool FILE, whose rows have db_id, question and query.",
        )


def _databases(folder: str, tables: str, opened: Sequence[Dataset], corenlp: str) -> Databases:
    """Those that are named; without a folder, those of the data sets, the questions' own first."""
    from luciola.sql.dail.corenlp import CoreNlp
    from luciola.sql.dail.databases import Databases
    from luciola.sql.dail.lemmas import analyse as by_rules
    from luciola.sql.dail.tables import read_tables

    analyse = CoreNlp(corenlp) if corenlp else by_rules
    if folder:
        return Databases(folder, read_tables(tables) if tables else {}, analyse=analyse)
    folders = [opened[0].place(), *(each.databases for each in opened[1:] if each.databases)]
    files = [Path(tables)] if tables else [each.tables for each in opened if each.tables]
    listed = {name: entry for file in reversed(files) for name, entry in read_tables(file).items()}
    return Databases(list(dict.fromkeys(folders)), listed, analyse=analyse)


def _possible(chosen: Selection, asked: Sequence[Question]) -> Selection:
    """The selection; without any prediction, its part that needs none, said aloud."""
    if chosen.skeleton != "prediction" or any(row.prediction for row in asked):
        return chosen
    say("No --predictions: examples are chosen by the questions alone, not by their SQL.", err=True)
    return replace(chosen, skeleton="")


def _tell_of_differences(place: Databases, asked: Sequence[Question]) -> None:
    """Say which databases lack what tables.json names; the prompts show what the file holds.

    Raises: DatabaseError naming the first row whose database is not there or cannot be read.
    """
    from luciola.sql.dail.tables import differences

    first: dict[str, Question] = {}
    for row in asked:
        first.setdefault(row.db_id, row)
    for db_id, row in first.items():
        try:
            lacking = differences(place.schema(db_id), place.facts(db_id))
        except DatabaseError as error:
            raise DatabaseError(f"{row.origin}: {error.message}", remedy=error.remedy) from error
        if lacking:
            named = ", ".join(lacking[:3]) + (", …" if len(lacking) > 3 else "")
            say(f"{db_id}: tables.json names what the database lacks: {named}", err=True)


def _budget(tokenizer: str, limit: int, answer: int, *, trusted: bool) -> Budget | None:
    from luciola.specialist.counting import counter
    from luciola.sql.dail.organization import Budget

    if bool(tokenizer) != bool(limit):
        raise ConfigError(
            "a token budget needs both --tokenizer and --max-tokens",
            remedy="E.g. --tokenizer cl100k_base --max-tokens 4096.",
        )
    count = counter(tokenizer, trust_remote_code=trusted) if limit else None
    return Budget(count, limit, answer) if count else None


def _compare(similarity: str, embeddings: str) -> Compare:
    from luciola.sql.dail.similarity import bm25

    if similarity == "bm25":
        return bm25
    return partial(_by_meaning, similarity, Path(embeddings).expanduser() if embeddings else None)


def _by_meaning(
    model: str, folder: Path | None, targets: Sequence[str], pool: Sequence[str]
) -> NDArray[np.float32]:
    from luciola.sql.dail.embedding import embed
    from luciola.sql.dail.similarity import euclidean

    vectors = embed([*pool, *targets], model, folder=folder)
    return euclidean(vectors[len(pool) :], vectors[: len(pool)])
