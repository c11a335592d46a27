"""The directions in which the packages may know each other, and what may not be imported early.

The directions are the design: whoever needs a new one changes the table here and says why in
docs/decisions.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import luciola

SOURCE = Path(luciola.__file__).parent
GROUND = {"errors", "types", "seeds"}
TRAINING = GROUND | {"config", "runs"}
BELOW_METHODS = {"training", "objectives", "rollout", "models", "data", "conversation", "rewards"}
BELOW_METHODS |= {"plugins", "memory", "fingerprints", "http"}
METHODS = TRAINING | BELOW_METHODS
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "types": set(),
    "seeds": set(),
    "plugins": {"errors"},
    "fingerprints": {"errors"},
    "http": {"errors"},
    "objectives": set(),
    "config": GROUND,
    "conversation": GROUND,
    "runs": GROUND,
    "sql": GROUND | {"data", "http"},  # questions are rows of files; servers are asked
    "data": GROUND | {"conversation", "config", "runs"},  # where rows are written
    "models": GROUND
    | {"config", "conversation", "data", "runs"}  # batches of rows; a scorer renders
    | {"plugins", "objectives"},  # a function may make the model; roles give scores, not logits
    "export": GROUND | {"models", "runs"},
    "rollout": GROUND
    | {"config", "models"}
    | {"conversation", "objectives"},  # what a model that was trained with ILQL answers
    "chat": GROUND | {"config", "conversation", "data", "models", "rollout", "runs"},
    "rewards": GROUND | {"config", "models", "plugins", "fingerprints", "http"},
    "training": TRAINING,
    "methods": METHODS,
    "tasks": GROUND | {"models", "runs"},
    "memory": GROUND | {"models"},  # of a module and a loss, whatever recipe they are from
    "specialist": METHODS | {"methods", "sql"},
    "demo": METHODS | {"methods", "sql", "specialist"},
    "compat": METHODS | {"methods"},
    "rl": {"compat"},
    "serve": METHODS | {"methods", "sql", "specialist", "memory"},
}
"""The package, and which of ours it may import besides itself; `cli` may import everything."""
TORCH_FREE = (
    "errors",
    "fingerprints",
    "http",
    "types",
    "seeds",
    "plugins",
    "config",
    "conversation",
    "runs",
    "sql",
    "data",
    "cli",
)
HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "pydantic", "sqlalchemy"}
FILES = sorted(SOURCE.rglob("*.py"))


def package(path: Path) -> str:
    """The package, or top-level module, of ours that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """The modules that the import statements among `nodes` name."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            names.add(str(node.module))
            if node.module == "luciola":
                names |= {f"luciola.{alias.name}" for alias in node.names}
    return names


def early(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from early(child)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_packages_know_only_those_that_the_design_allows(path: Path) -> None:
    name = package(path)
    if name in ("cli", "__init__", "__main__"):
        return
    modules = imported(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    ours = {module.split(".")[1] for module in modules if module.startswith("luciola.")}
    assert ours <= MAY_IMPORT[name] | {name}, f"{path} knows {ours - MAY_IMPORT[name] - {name}}"


@pytest.mark.parametrize("name", TORCH_FREE)
def test_what_needs_no_torch_does_not_load_it(name: str) -> None:
    heavy = {
        f"{path.relative_to(SOURCE)}: {module}"
        for path in FILES
        if package(path) == name
        for module in imported(early(ast.parse(path.read_text(encoding="utf-8"))))
        if module.partition(".")[0] == "torch"
    }
    assert heavy == set()


def test_the_command_line_loads_nothing_heavy_before_it_is_needed() -> None:
    heavy = {
        f"{path.name}: {module}"
        for path in FILES
        if package(path) in ("cli", "config", "errors", "types", "__init__")
        for module in imported(early(ast.parse(path.read_text(encoding="utf-8"))))
        if module.partition(".")[0] in HEAVY
    }
    assert heavy == set()
