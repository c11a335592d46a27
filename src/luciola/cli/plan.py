"""`luciola plan`: the memory of a run, part by part, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.cli.early import check_model
from luciola.cli.settings import recipe_command, split_words
from luciola.config.ilql import IlqlConfig
from luciola.config.online import A2cConfig, GrpoConfig, OnlineConfig, PpoConfig, RlooConfig
from luciola.config.preference import DpoConfig, RewardConfig
from luciola.config.sft import SftConfig
from luciola.config.sql import SqlConfig
from luciola.config.training import TrainingConfig
from luciola.errors import ConfigError

if TYPE_CHECKING:
    from luciola.memory.cards import Card

METHODS: dict[str, type[TrainingConfig]] = {
    "sft": SftConfig,
    "reward": RewardConfig,
    "dpo": DpoConfig,
    "ilql": IlqlConfig,
    "ppo": PpoConfig,
    "a2c": A2cConfig,
    "grpo": GrpoConfig,
    "rloo": RlooConfig,
    "sql": SqlConfig,
}
OFFLINE = {"data": "data.jsonl"}
ASKING = {"database": "database.sqlite", "pairs": "pairs.jsonl"}
ONLINE = {"prompts": "prompts.jsonl", "reward": "length:64"}
"""What stands in a recipe's place where a plan is made without data; none of it is read."""

app = typer.Typer(help="Predict the memory of a run, part by part.", add_completion=False)


@app.command(cls=recipe_command(SftConfig), short_help="Predict the memory of a run.")
def plan(
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    method: Annotated[
        str, typer.Option(help="sft, reward, dpo, ilql, ppo, a2c, grpo, rloo or sql.")
    ] = "",
    card: Annotated[str, typer.Option(help="A card's name, or a size: h100, 24GB.")] = "",
    measure: Annotated[
        bool, typer.Option("--measure", help="Run the largest step, and compare.")
    ] = False,
) -> None:
    """Predict the memory of a run from its recipe alone; no weights are loaded, no data read.

    luciola plan model=smollm2-135m adapter=full --card 24GB

    A train_args file of Firefly is understood as well.
    """
    path, settings = split_words(words or [])
    name, config = _recipe(method, path, settings)
    from luciola.memory.cards import card_at_hand, named_card

    chosen: Card | None = named_card(card) if card else None  # a wrong name is told at once
    check_model(config.model)
    from luciola.methods.plan_text import describe

    typer.echo(describe(name, config, chosen or card_at_hand(), measured=measure))


def _recipe(method: str, path: Path | None, settings: list[str]) -> tuple[str, TrainingConfig]:
    """The method and its recipe; a train_args file of Firefly names its own.

    Raises: ConfigError for another method than that file's, and as `_load` does.
    """
    from luciola.compat.firefly import is_train_args, recipe

    if path is None or not is_train_args(path):
        name = method or _guess(path, settings)
        return name, _load(name, path, settings)
    task, config = recipe(path, settings)
    name = "dpo" if task == "dpo" else "sft"
    if method not in ("", name):
        raise ConfigError(
            f"{path}: its task_type is {task}, which is not --method {method}",
            remedy="Leave --method out.",
        )
    return name, config


def _load(method: str, path: Path | None, settings: list[str]) -> TrainingConfig:
    """The recipe, with stand-ins for the data that it does not name.

    Raises: ConfigError if there is no such method, or a setting is wrong.
    """
    from luciola.config.load import load

    if method not in METHODS:
        raise ConfigError(
            f"--method: there is no method {method!r}", remedy=f"Choose of {', '.join(METHODS)}."
        )
    needed = ONLINE if issubclass(METHODS[method], OnlineConfig) else OFFLINE
    needed = ASKING if method == "sql" else needed
    given = _names(path, settings)
    stand_ins = [f"{key}={value}" for key, value in needed.items() if key not in given]
    return load(METHODS[method], path, [*stand_ins, *settings])


def _names(path: Path | None, settings: list[str]) -> set[str]:
    """The settings that a recipe's file and the command line give."""
    found = {word.partition("=")[0] for word in settings}
    if path is not None and path.is_file():
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        found |= {line.partition(":")[0].strip(" '\"") for line in lines if line[:1].strip()}
    return found


def _guess(path: Path | None, settings: list[str]) -> str:
    """The method that a recipe's name or its settings speak of."""
    words = [] if path is None else [path.stem, path.parent.name, *path.stem.split("-")]
    named = next((word for word in words if word in METHODS), "")
    if named:
        return named
    given = _names(path, settings)
    return "ppo" if "prompts" in given else "sql" if "database" in given else "sft"
