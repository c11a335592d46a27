"""Objects of a person's own files, and what is said when they are not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from luciola.errors import ConfigError
from luciola.plugins import line_in, load_object, names_object


@pytest.fixture(autouse=True)
def _search_path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_function_is_loaded_from_a_file_beside_the_recipe(tmp_path: Path) -> None:
    write(tmp_path / "recipes" / "mine.py", "def polite():\n    return 'please'\n")
    assert load_object("mine.py:polite", relative_to=tmp_path / "recipes")() == "please"


def test_the_recipes_folder_comes_before_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path / "both.py", "where = 'here'\n")
    write(tmp_path / "recipes" / "both.py", "where = 'recipe'\n")
    assert load_object("both.py:where", relative_to=tmp_path / "recipes") == "recipe"
    assert load_object("both.py:where") == "here"


def test_a_file_can_import_its_neighbours_and_define_dataclasses(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "luciola_neighbour.py", "value = 7\n")
    write(
        tmp_path / "folder" / "uses.py",
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\nfrom luciola_neighbour import value\n"
        "@dataclass\nclass Box:\n    size: int = value\n",
    )
    assert load_object("folder/uses.py:Box")().size == 7


def test_a_file_is_run_once_until_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path / "counted.py", "box = []\n")
    load_object("counted.py:box").append(1)
    assert load_object("counted.py:box") == [1]
    write(file, "box = ['changed']\n")
    assert load_object("counted.py:box") == ["changed"]


def test_a_module_and_a_method_are_found_by_their_dotted_names() -> None:
    assert load_object("collections:OrderedDict.fromkeys")("ab") == {"a": None, "b": None}


def test_a_module_of_the_working_directory_is_found(tmp_path: Path) -> None:
    write(tmp_path / "luciola_local_package" / "part.py", "name = 'local'\n")
    assert load_object("luciola_local_package.part:name") == "local"


@pytest.mark.parametrize("spec", ["polite", "mine.py:", ":polite", ""])
def test_a_text_that_names_no_object_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"does not name a Python object\n.*FILE\.py:NAME"):
        load_object(spec)


def test_a_missing_file_says_where_it_was_looked_for_and_what_is_near(tmp_path: Path) -> None:
    write(tmp_path / "my_rewards.py", "")
    with pytest.raises(ConfigError) as caught:
        load_object("my_reward.py:polite")
    assert f"no file my_reward.py in {tmp_path}" in str(caught.value)
    assert "Did you mean my_rewards.py?" in str(caught.value)


def test_a_missing_name_says_what_was_meant(tmp_path: Path) -> None:
    write(tmp_path / "mine.py", "def polite(): ...\ndef short(): ...\n")
    with pytest.raises(ConfigError, match=r"mine\.py has no 'polit'\n.*Did you mean polite\?"):
        load_object("mine.py:polit")
    with pytest.raises(ConfigError, match=r"It holds polite, short\."):
        load_object("mine.py:zzz")


def test_a_missing_module_is_told_from_one_that_lacks_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no Python module luciola_absent\.part"):
        load_object("luciola_absent.part:name")
    write(tmp_path / "luciola_lacking.py", "\nimport luciola_absent\n")
    with pytest.raises(ConfigError, match=r"luciola_lacking\.py:2 fails on import \(Module"):
        load_object("luciola_lacking:name")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("x = 1\ny = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("\n\ndef f(:\n", 3, "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("def f():\n    return missing\n\nf()\n", 2, "NameError: name 'missing' is not defined"),
    ],
)
def test_code_that_fails_on_import_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    file = write(tmp_path / "broken.py", text)
    with pytest.raises(ConfigError) as caught:
        load_object("broken.py:name")
    assert caught.value.message.startswith(f"{file}:{line} fails on import ({reason}")


def test_a_file_that_failed_is_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "flaky.py", "import os\nname = os.environ['LUCIOLA_TEST_FLAKY']\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match="KeyError"):
            load_object("flaky.py:name")


def test_ctrl_c_on_import_stays_ctrl_c(tmp_path: Path) -> None:
    write(tmp_path / "stopped.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_object("stopped.py:name")


def test_the_line_of_an_error_is_the_innermost_one_in_that_file(tmp_path: Path) -> None:
    file = write(
        tmp_path / "deep.py",
        "import json\ndef outer():\n    inner()\ndef inner():\n    json.loads('{')\n",
    )
    with pytest.raises(ValueError) as caught:
        load_object("deep.py:outer")()
    assert line_in(caught.value, file) == f"{file}:5"
    assert line_in(caught.value, "elsewhere.py") is None


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("mine.py:polite", True),
        ("folder/mine.py:polite", True),
        ("package.module:name", True),
        ("package:Class.method", True),
        ("hub:owner/name", False),
        ("hub:name", False),
        ("prompts.jsonl", False),
        ("C:\\prompts.jsonl", False),
    ],
)
def test_names_of_objects_are_told_from_files(text: str, is_name: bool) -> None:
    assert names_object(text) is is_name
