"""Spellings of a schema's names."""

from __future__ import annotations

import random

from luciola.specialist.augment.draft import Draft
from luciola.specialist.augment.example import Blueprint, Column, Prepared, Table
from luciola.specialist.augment.names import keep_names, restyled_names


def twins() -> Draft:
    """Names that only differ in what a style takes away."""
    columns = (Column("a_b", ("a", "b")), Column("ab", ("ab",)), Column("2", ("2",)))
    tables = (Table("x_y", ("x", "y"), columns), Table("xy", ("xy",), columns[:1]))
    return Draft.of(Prepared(Blueprint("twins", tables), "?", ()))


def test_names_stay_unique_whatever_the_case_and_never_begin_with_a_digit() -> None:
    for seed in range(200):
        draft = twins()
        tables, columns = restyled_names(draft, random.Random(seed))
        assert len({name.lower() for name in tables.values()}) == 2
        for table in draft.tables:
            names = [columns[id(column)].lower() for column in table.columns]
            assert len(set(names)) == len(names)
            assert not any(name[0].isdigit() for name in names)


def test_many_styles_occur_and_kept_names_are_the_databases_own() -> None:
    draft = twins()
    spelt = {restyled_names(twins(), random.Random(seed))[0].popitem()[1] for seed in range(100)}
    assert len(spelt) > 3
    assert list(keep_names(draft)[0].values()) == ["x_y", "xy"]
