"""The page's first example runs as it stands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "text-to-sql.md"


def test_the_first_example_answers_its_question(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    shutil.copy(shop, tmp_path / "shop.sqlite")
    monkeypatch.chdir(tmp_path)
    answer = "```sql\nSELECT name FROM shop WHERE city = 'Lyon' AND opened > '2015-12-31'\n```"
    names: dict[str, object] = {"my_model": lambda asked: answer}
    exec(code, names)
    assert capsys.readouterr().out == "name\n----\nHill\n"
    asked = names["asked"]
    assert isinstance(asked, tuple)
    assert asked[1].content.endswith("(shop.city = 'Lyon')")


def test_the_package_needs_no_torch_and_its_sandbox_nothing_heavy() -> None:
    modules = ["answer", "execution", "normalize", "prompt", "prune", "schema", "table", "values"]
    light = "import sys, luciola.sql.execution, luciola.sql.database.worker\n"
    light += "print({'sqlglot', 'sqlalchemy', 'numpy', 'torch'} & set(sys.modules))\n"
    all_of_it = "".join(f"import luciola.sql.{module}\n" for module in modules)
    code = light + all_of_it + "print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "set()"]
