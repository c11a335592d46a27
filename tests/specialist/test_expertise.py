"""What a specialist remembers of how it was taught."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from luciola.errors import ModelError
from luciola.specialist.expertise import FILE, Expertise, specialists


def test_it_is_read_as_it_was_saved_and_a_stranger_has_the_defaults(tmp_path: Path) -> None:
    taught = Expertise(database="shop.db", mentions=False, types=True)
    taught.save(tmp_path)
    assert Expertise.load(str(tmp_path)) == taught
    assert Expertise.load("owner/name") == Expertise()


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"odd": 1}')
    with pytest.raises(ModelError, match=r"specialist\.json cannot be read"):
        Expertise.load(str(tmp_path))


def test_the_newest_specialist_on_a_database_comes_first() -> None:
    """However its path is written, and never one that was taught about another."""
    trained = {"old": "shop.db", "new": str(Path("shop.db").absolute()), "other": "staff.db"}
    for age, (name, database) in enumerate(trained.items()):
        folder = Path("runs", name, "model")
        folder.mkdir(parents=True)
        Expertise(database=database).save(folder)
        os.utime(folder / FILE, (1000 + age, 1000 + age))
    assert specialists("./shop.db") == [Path("runs/new/model"), Path("runs/old/model")]
    assert specialists("nothing.db") == []
