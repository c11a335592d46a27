"""`luciola train`: one command per method."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from luciola.cli.early import check_data, check_model
from luciola.cli.errors import INTERRUPTED, Ended
from luciola.cli.settings import recipe_command, split_words
from luciola.config.ilql import IlqlConfig
from luciola.config.online import A2cConfig, GrpoConfig, OnlineConfig, PpoConfig, RlooConfig
from luciola.config.preference import DpoConfig, PreferenceConfig, RewardConfig
from luciola.config.sft import DataSource, SftConfig
from luciola.errors import ConfigError
from luciola.plugins import names_object

if TYPE_CHECKING:
    from luciola.methods.job import Result

C = TypeVar("C", bound=PreferenceConfig)

COMMON = (
    *("model", "out", "adapter", "lora.r", "max_length", "epochs", "max_steps", "batch"),
    *("micro_tokens", "lr", "checkpointing", "seed", "data", "eval_fraction", "template", "system"),
    *("beta", "loss", "reference", "center", "reward", "prompts", "eval_prompts", "rollouts"),
    *("answers", "iterations", "max_new_tokens", "temperature", "kl_coef", "gamma", "tau"),
)
"""Settings that --help lists, of those that a method has; --help-all lists all."""

app = typer.Typer(no_args_is_help=True, help="Train a model of your own.")

Words = Annotated[
    list[str] | None,
    typer.Argument(hidden=True),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check the data, the recipe and the model, then stop."),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Begin again where the run's folder holds an unfinished run."),
]


@app.callback()
def train() -> None:
    """Train a model of your own. The same command again goes on where it stopped."""


@app.command(
    cls=recipe_command(SftConfig, common=COMMON),
    short_help="Fine-tune a model on chats, completions or text.",
)
def sft(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
    """Fine-tune a model on chats, completions or text, with LoRA or in full.

    luciola train sft model=smollm2-135m data=chats.jsonl

    A train_args file of Firefly is run as it is, whatever its task_type.
    """
    from luciola.config.load import load

    path, overrides = split_words(words or [])
    if path and _is_train_args(path):
        _train_args(path, overrides, dry_run=dry_run, fresh=fresh)
        return
    config = load(SftConfig, path, overrides)
    check_data([*config.data, *config.eval_data])
    check_model(config.model)
    from luciola.methods.sft import run  # torch loads here, after the recipe is known to be right

    tell(run(config, dry_run=dry_run, fresh=fresh))


@app.command(
    cls=recipe_command(RewardConfig, common=COMMON), short_help="Train a model that scores answers."
)
def reward(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
    """Train a model that scores answers, from comparisons: chosen and rejected, or ranked lists.

    luciola train reward model=smollm2-135m data=preferences.jsonl
    """
    config = _comparisons(RewardConfig, *_split(words, "reward"))
    from luciola.methods.reward import run

    tell(run(config, dry_run=dry_run, fresh=fresh))


@app.command(
    cls=recipe_command(DpoConfig, common=COMMON),
    short_help="Train a model to prefer the better answers (DPO).",
)
def dpo(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
    """Train a model to prefer the better answers, from comparisons, without a reward model.

    luciola train dpo model=smollm2-135m data=preferences.jsonl
    """
    path, overrides = split_words(words or [])
    if path and _is_train_args(path):
        _train_args(path, overrides, task="dpo", dry_run=dry_run, fresh=fresh)
        return
    config = _comparisons(DpoConfig, path, overrides)
    from luciola.methods.dpo import run

    tell(run(config, dry_run=dry_run, fresh=fresh))


@app.command(
    cls=recipe_command(IlqlConfig, common=COMMON),
    short_help="Learn from logged answers with rewards (ILQL).",
)
def ilql(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
    """Implicit language Q-learning: learn from logged answers and how good they were.

    luciola train ilql model=smollm2-135m data=samples.jsonl
    """
    from luciola.config.load import load

    path, overrides = _split(words, "ilql")
    config = load(IlqlConfig, path, overrides)
    check_data([source for source in config.data if not names_object(source.path)])
    check_model(config.model)
    from luciola.methods.ilql_runs import run

    tell(run(config, dry_run=dry_run, fresh=fresh))


def _split(words: list[str] | None, method: str) -> tuple[Path | None, list[str]]:
    """The recipe's file and settings, for a method that Firefly does not have.

    Raises: ConfigError where the file is one of Firefly's.
    """
    path, overrides = split_words(words or [])
    if path and _is_train_args(path):
        raise ConfigError(
            f"{path} is a train_args file of Firefly, and those are for sft, pretrain and dpo, "
            f"not for {method}",
            remedy=f"luciola train sft {path} runs it, whatever its task_type; write a recipe of "
            f"your own for {method}.",
        )
    return path, overrides


def _is_train_args(path: Path) -> bool:
    """Whether a file is one of Firefly's."""
    from luciola.compat.firefly import is_train_args

    return is_train_args(path)


def _train_args(
    path: Path, overrides: list[str], *, task: str = "", dry_run: bool, fresh: bool
) -> None:
    """Run a train_args file of Firefly.

    Args:
        task: the only one that the command is for; empty: any.
    """
    from luciola.compat.firefly import recipe, run

    found, config = recipe(path, overrides)
    if task and found != task:
        remedy = f"luciola train sft {path} runs it."
        raise ConfigError(f"{path}: its task_type is {found}, not {task}", remedy=remedy)
    check_data([*config.data, *config.eval_data])
    check_model(config.model)
    tell(run(found, config, dry_run=dry_run, fresh=fresh))


def _comparisons(recipe_class: type[C], path: Path | None, overrides: list[str]) -> C:
    """A recipe over comparisons, with what can be refused before torch is imported."""
    from luciola.config.load import load

    config = load(recipe_class, path, overrides)
    check_data([*config.data, *config.eval_data])
    check_model(config.model)
    if isinstance(config, DpoConfig) and config.reference:
        check_model(config.reference)
    return config


def _offer(method: str, recipe_class: type[OnlineConfig], what: str) -> None:
    """Add the command of an online method."""

    def command(words: Words = None, dry_run: DryRun = False, fresh: Fresh = False) -> None:
        from luciola.config.load import load

        path, overrides = _split(words, method)
        config = load(recipe_class, path, overrides)
        files = [name for name in (config.prompts, config.eval_prompts) if name]
        check_data([DataSource(name) for name in files if not names_object(name)])
        check_model(config.model)
        if config.reference:
            check_model(config.reference)
        from luciola.methods.online.running import run

        tell(run(config, dry_run=dry_run, fresh=fresh))  # type: ignore[arg-type]

    command.__doc__ = (
        f"{what}: the model answers prompts, a reward scores the answers, the model learns.\n\n"
        f"luciola train {method} model=smollm2-135m prompts=prompts.jsonl reward=my.py:polite"
    )
    app.command(method, cls=recipe_command(recipe_class, common=COMMON), short_help=f"{what}.")(
        command
    )


_offer("ppo", PpoConfig, "Proximal policy optimisation with a reward")
_offer("a2c", A2cConfig, "Advantage actor-critic with a reward")
_offer("grpo", GrpoConfig, "Group relative policy optimisation with a reward")
_offer("rloo", RlooConfig, "REINFORCE leave-one-out with a reward")


def tell(result: Result) -> None:
    """Say what came of a run, once however many processes there are.

    Raises: Ended where the run was interrupted.
    """
    if os.environ.get("RANK", "0") == "0":
        typer.echo(result.text)
    if result.ending == "interrupted":
        raise Ended(INTERRUPTED)
