"""The prompts of a point; what several points share is computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luciola.config.study import StudyConfig
from luciola.specialist.study.grid import Point
from luciola.specialist.study.material import Material
from luciola.sql.dail.organization import Budget, Prompt, organization
from luciola.sql.dail.prompting import Compare, FewShot, with_examples, zero_shot
from luciola.sql.dail.selection import selection
from luciola.sql.dail.similarity import bm25


class Prompts:
    """Writes the prompts of any point of a study."""

    def __init__(self, config: StudyConfig, material: Material) -> None:
        self._config = config
        self._material = material
        self._compare = remembered(compare_by(config.similarity, Path(config.out) / "embeddings"))

    def of(
        self, point: Point, budget: Budget | None = None, first: Sequence[str] = ()
    ) -> Iterator[Prompt]:
        """One prompt for each question.

        Args:
            budget: tokens that the model reads and writes; None: no limit.
            first: SQL for each question, which DAIL_S and QRS_S compare with; without any, they
                choose by the questions alone.
        """
        questions, databases = self._material.questions, self._material.databases
        if not point.shots:
            return zero_shot(point.chosen, questions, databases)
        chosen_by = selection(point.selection)
        if chosen_by.skeleton == "prediction" and not first:
            chosen_by = replace(chosen_by, skeleton="")
        if first:
            pairs = zip(questions, first, strict=True)
            questions = tuple(replace(asked, prediction=sql) for asked, sql in pairs)
        way = FewShot(
            chosen_by,
            organization(point.organization),
            point.shots,
            threshold=self._config.threshold,
            budget=budget,
            cross_domain=self._config.cross_domain,
            allow_self=self._config.allow_self,
        )
        pool = self._material.pool
        return with_examples(point.chosen, way, questions, pool, databases, self._compare)


def compare_by(similarity: str, folder: Path) -> Compare:
    """The way of comparing that has this name; vectors of an encoder are kept in `folder`."""
    return bm25 if similarity == "bm25" else partial(_by_meaning, similarity, folder)


def remembered(compare: Compare) -> Compare:
    """The same, computed once for the same texts."""
    known: dict[str, NDArray[np.float32]] = {}

    def distances(targets: Sequence[str], pool: Sequence[str]) -> NDArray[np.float32]:
        key = hashlib.sha256(repr((list(targets), list(pool))).encode()).hexdigest()
        if key not in known:
            known[key] = compare(targets, pool)
        return known[key]

    return distances


def _by_meaning(
    model: str, folder: Path, targets: Sequence[str], pool: Sequence[str]
) -> NDArray[np.float32]:
    from luciola.sql.dail.embedding import embed
    from luciola.sql.dail.similarity import euclidean

    vectors = embed([*pool, *targets], model, folder=folder)
    return euclidean(vectors[len(pool) :], vectors[: len(pool)])
