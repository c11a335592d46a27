"""From a train_args file to a finished run."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.compat.firefly.arguments import read_train_args, translate
from luciola.compat.firefly.tasks import Task
from luciola.config.load import from_mapping
from luciola.config.preference import DpoConfig
from luciola.config.sft import SftConfig

if TYPE_CHECKING:
    from luciola.methods.job import Result

log = logging.getLogger(__name__)
CUTS = {"max_cut": 1.0}
"""Firefly cuts whatever is too long."""


def recipe(path: Path, overrides: Sequence[str] = ()) -> tuple[Task, SftConfig | DpoConfig]:
    """What a train_args file trains, and its recipe; says what was translated.

    Args:
        overrides: settings of ours, `key=value`, which count for more than the file.

    Raises: ConfigError naming the file and the key.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    found = translate(read_train_args(path), str(path), processes=processes)
    recipe_class: type[SftConfig | DpoConfig] = DpoConfig if found.task == "dpo" else SftConfig
    config = from_mapping(recipe_class, {**CUTS, **found.settings}, str(path), overrides)
    if os.environ.get("RANK", "0") == "0":
        log.info("%s is a train_args file of Firefly, read as task_type=%s", path, found.task)
        for notice in found.notices:
            log.info("  %s", notice)
    return found.task, config


def run(
    task: Task,
    config: SftConfig | DpoConfig,
    *,
    dry_run: bool = False,
    fresh: bool = False,
    show: bool = True,
) -> Result:
    """Carry out a recipe that `recipe` gave; the arguments are those of `methods.sft.run`."""
    if isinstance(config, DpoConfig):
        from luciola.methods import dpo

        return dpo.run(config, dry_run=dry_run, fresh=fresh, show=show)
    if task == "pretrain":
        return _pretrain(config, dry_run=dry_run, fresh=fresh, show=show)
    from luciola.methods import sft

    return sft.run(config, dry_run=dry_run, fresh=fresh, show=show)


def _pretrain(config: SftConfig, *, dry_run: bool, fresh: bool, show: bool) -> Result:
    from luciola.compat.firefly.blocks import load_blocks
    from luciola.config.write import as_mapping
    from luciola.methods.requirements import check_machine
    from luciola.methods.sft import train
    from luciola.models.context import within_context
    from luciola.models.load import load_tokenizer
    from luciola.runs.recipe import run_name

    check_machine(config)
    tokenizer = load_tokenizer(config.model, trust_remote_code=config.trust_remote_code)
    config = within_context(config)
    examples = load_blocks(config, tokenizer)
    name = run_name("pretrain", config.model, config.data[0].path, as_mapping(config))
    return train(config, examples, tokenizer, name, dry_run=dry_run, fresh=fresh, show=show)
