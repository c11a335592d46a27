"""What counts as the same object, and what is said of objects that cannot be compared."""

from __future__ import annotations

import functools
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import types
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from luciola.errors import ConfigError
from luciola.fingerprints import fingerprint, named, unnamed
from luciola.fingerprints.files import code_digest, path_digest
from luciola.fingerprints.libraries import is_library
from luciola.plugins import load_object

FACTOR = 3
TABLE = {"good": 1.0}
LOCK = threading.Lock()


def digest(value: Any) -> str:
    found = fingerprint(value)
    assert found.unknown == ()
    return found.digest


def run(text: str, name: str = "score", **scope: Any) -> Any:
    """A function that was typed in, without a file."""
    exec(text, scope)
    return scope[name]


def closure(weight: float) -> Any:
    def score(answers: list[str]) -> list[float]:
        return [weight * len(answer) for answer in answers]

    return score


def decorated(weight: float) -> Any:
    def around(function: Any) -> Any:
        @functools.wraps(function)
        def inner(answers: list[str]) -> list[float]:
            return [weight * one for one in function(answers)]

        return inner

    @around
    def score(answers: list[str]) -> list[float]:
        return [1.0 for _ in answers]

    return score


class Judge:
    """Scores by what it holds."""

    bonus = 1.0

    def __init__(self, weight: Any) -> None:
        self.weight = weight

    def __call__(self, answers: list[str]) -> list[float]:
        return [self.bonus * self.weight for _ in answers]

    def score(self, answered: Any) -> Any: ...


class Slotted:
    """Holds it without a dictionary."""

    __slots__ = ("weight",)

    def __init__(self, weight: Any) -> None:
        self.weight = weight


@dataclass(frozen=True)
class Record:
    """A dataclass."""

    weight: Any


class Words(dict[str, float]):
    """A dictionary with a method."""


class Colour(Enum):
    """Two members."""

    RED = 1
    BLUE = 2


MADE = {
    "closure": closure,
    "attribute": Judge,
    "bound method": lambda weight: Judge(weight).score,
    "slot": Slotted,
    "dataclass": Record,
    "partial": lambda weight: functools.partial(closure, weight),
    "keyword of a partial": lambda weight: functools.partial(closure, weight=weight),
    "default": lambda weight: run(f"def score(answers, w={weight}): return w"),
    "keyword default": lambda weight: run(f"def score(answers, *, w={weight}): return w"),
    "global": lambda weight: run("def score(answers): return W", W=weight),
    "global of a helper": lambda weight: run(
        "def score(answers): return helper(1)\ndef helper(x): return x * W", W=weight
    ),
    "constant": lambda weight: run(f"score = lambda answers: [{weight}]"),
    "decorated": decorated,
    "array": lambda weight: Judge(np.full(3, weight)),
    "array of objects": lambda weight: Judge(np.array([weight, None], dtype=object)),
    "tensor": lambda weight: Judge(torch.full((3,), weight, dtype=torch.bfloat16)),
    "subclass of dict": lambda weight: Words(good=weight),
    "class made on the fly": lambda weight: type("Made", (), {"weight": weight}),
    "inherited": lambda weight: type("Child", (type("Base", (), {"w": weight}),), {})(),
    "nested data": lambda weight: [{"a": [1, {"b": (weight,)}]}],
    "set": lambda weight: {"a", "b", weight},
    "random numbers": lambda weight: Judge(random.Random(weight)),
    "numpy's random numbers": lambda weight: Judge(np.random.default_rng(int(weight))),
    "cached function": lambda weight: functools.lru_cache(closure(weight)),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_holds_another_number_is_another_object(kind: str) -> None:
    make = MADE[kind]
    assert digest(make(2.0)) == digest(make(2.0))
    assert digest(make(2.0)) != digest(make(3.0))


def test_values_that_are_equal_in_python_are_told_apart_by_type() -> None:
    found = {digest(one) for one in (1, 1.0, True, "1", b"1", [1], (1,), {1}, frozenset({1}))}
    assert len(found) == 9
    assert digest(float("nan")) == digest(float("nan"))
    assert digest(Colour.RED) != digest(Colour.BLUE)
    assert digest(np.float32(1)) != digest(np.float64(1))
    assert digest(np.zeros((2, 3))) != digest(np.zeros((3, 2)))
    assert digest(re.compile("a")) != digest(re.compile("a", re.IGNORECASE))


def test_comments_docstrings_names_and_lines_do_not_count() -> None:
    plain = run("def score(answers):\n    return [1.0 for _ in answers]\n")
    told = run(
        '\n\ndef other(answers):\n    """One."""\n    # one\n    return [1.0 for _ in answers]',
        "other",
    )
    assert digest(plain) == digest(told)
    assert digest(plain) != digest(run("def score(answers):\n    return [2.0 for _ in answers]\n"))


def test_functions_that_call_each_other_end() -> None:
    text = "def score(n):\n    return other(n)\ndef other(n):\n    return score(n) + W\n"
    assert digest(run(text, W=1)) == digest(run(text, W=1)) != digest(run(text, W=2))
    itself: list[Any] = [1]
    itself.append(itself)
    assert digest(itself) == digest(itself)


def test_eval_can_read_every_global() -> None:
    text = "def score(answers): return eval(answers[0])"
    assert digest(run(text, W=1)) != digest(run(text, W=2))


def test_a_lock_and_a_cache_hold_nothing_that_counts() -> None:
    def locked(answers: list[str]) -> float:
        with LOCK:
            return FACTOR * TABLE["good"]

    remembers = functools.lru_cache(closure(1.0))
    before = digest(remembers)
    remembers(("a", "b"))
    assert digest(remembers) == before
    assert digest(locked)


def test_an_unfamiliar_global_may_be_defined_later() -> None:
    text = "def score(answers): return later(answers)"
    assert digest(run(text)) != digest(run(text, later=closure(1.0)))


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (sqlite3.connect(":memory:"), "a sqlite3.Connection"),
        ((one for one in "ab"), "a builtins.generator"),
    ],
)
def test_what_cannot_be_read_is_named(thing: Any, said: str) -> None:
    found = fingerprint(Judge(thing), "judge")
    assert found.unknown == (f"judge.weight, {said}",)
    assert fingerprint(run("def score(a): return W", W=thing), "f").unknown == (f"f.W, {said}",)
    thing.close()


def test_a_function_in_c_is_known_by_its_name() -> None:
    assert digest(len) != digest(sum)
    assert digest(np.mean) != digest(np.median)
    assert digest(np.sqrt) != digest(np.exp)
    assert digest("a".upper) != digest("b".upper)
    assert digest(str.upper) != digest(str.lower)


IN_ANOTHER = """
import test_fingerprint as t, torch
from luciola.fingerprints import fingerprint
from support import build_llama, build_tokenizer
found = [fingerprint(make(2.0)).digest for make in t.MADE.values()]
found.append(fingerprint({"x", "y", "z", 1, 2, ("q", frozenset("abc"))}).digest)
found += [fingerprint(x).digest for x in (build_llama(), build_tokenizer())]
print(found)
"""


def test_another_process_finds_the_same_fingerprints() -> None:
    """Models and tokenizers too; hashes of texts differ between these processes."""
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, str(Path(here).parent), *sys.path])
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def test_a_module_beside_the_file_counts_with_what_is_taken_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])

    def of(rule: str, unused: str, number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        name = f"rules_{number}_of_luciola"
        (folder / f"{name}.py").write_text(f"def rule(a): return {rule}\n{unused}\n")
        (folder / "mine.py").write_text(
            f"import {name} as rules\ndef score(answers): return [rules.rule(a) for a in answers]\n"
        )
        return digest(load_object(f"{folder}/mine.py:score"))

    assert of("1", "", 0) == of("1", "x = 2", 1) != of("2", "", 2)


def test_a_module_that_is_imported_late_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    text = "def score(answers):\n    from late_{} import rule\n    return rule(answers)\n"
    for number in (1, 2):
        (tmp_path / f"late_{number}.py").write_text(f"def rule(answers): return {number}\n")
    assert digest(run(text.format(1))) == digest(run(text.format(1)))
    rules = [sys.modules[f"late_{n}"].rule for n in (1,) if f"late_{n}" in sys.modules]
    assert digest(rules[0]) != digest(run("from late_2 import rule", "rule"))


def test_of_a_file_that_opens_something_the_source_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = (
        "import sqlite3\ndb = sqlite3.connect(':memory:')\n"
        "def score(answers):\n    return [db.total_changes for _ in answers]\n"
    )
    found = []
    for number, more in enumerate(("", "# a comment\n", "weight = 2\n")):
        file = tmp_path / f"opens_{number}.py"
        file.write_text(text + more)
        thing = load_object(f"{file}:score")
        seen = fingerprint(thing)
        assert seen.unknown and seen.files == (str(file),)
        found.append(code_digest(seen))
        thing.__globals__["db"].close()
    assert found[0] == found[1] != found[2]


def test_folders_and_files_are_compared_by_their_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(20 * 2**20))
    (other / "README.md").write_text("no part of the model")
    assert path_digest(one) == path_digest(other)
    with (other / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"1")
    assert path_digest(one) != path_digest(other)
    assert path_digest(one / "config.json") == path_digest(other / "config.json")


def test_a_name_stands_for_an_object() -> None:
    connection = object()
    assert unnamed([named("a", connection), "length:1-2"]) == [connection, "length:1-2"]
    assert unnamed(named("a", connection)) is connection
    assert unnamed("x") == "x"
    with pytest.raises(ConfigError, match="the name must be a text"):
        named(" ", connection)


def test_functions_of_a_librarys_compiled_part_are_known_by_name() -> None:
    """torch._C._nn has no file of its own; a classifier's GELU comes from there."""
    gelu, relu = torch._C._nn.gelu, torch._C._nn.relu6
    assert not fingerprint(gelu, "it").unknown
    assert fingerprint(gelu, "it").digest != fingerprint(relu, "it").digest


def test_a_module_made_by_hand_is_not_known_by_its_name() -> None:
    """Even below a library's name, unless the compiled library itself holds it."""
    made = types.ModuleType("torch._C._mine")
    assert not is_library(made)
