"""From a recipe of ILQL to a finished run's folder, whose model answers with its heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from luciola.config.ilql import IlqlConfig
from luciola.config.write import as_mapping
from luciola.conversation.render import Renderer
from luciola.conversation.template import load_template
from luciola.data.cutting import cut_text
from luciola.data.summary import counted
from luciola.fingerprints import unnamed
from luciola.methods.given import are_rows, named_objects, named_rows
from luciola.methods.ilql import Ilql
from luciola.methods.ilql_evaluation import Answering
from luciola.methods.ilql_preparing import describe_run, plan_for, prepare
from luciola.methods.job import Job, Result, loop_settings
from luciola.methods.logged import Logs, load_logs
from luciola.methods.online.prompts import Prompts, read_prompts
from luciola.methods.online.running import load_metric
from luciola.methods.preparation import tokenizer_of
from luciola.methods.requirements import check_machine
from luciola.methods.running import conduct
from luciola.methods.sft import saver
from luciola.methods.trainee import Trainee
from luciola.models.context import within_context
from luciola.models.q_heads import QCard, QRoles, save_heads
from luciola.rewards.building import build_reward
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.training.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def ilql(
    *,
    data: Any,
    eval_prompts: Any = "",
    metric: Any = "",
    reward: Any = (),
    fresh: bool = False,
    show: bool = False,
    **settings: Any,
) -> Result:
    """Train with ILQL; the settings are those of `IlqlConfig`, e.g. `ilql(model=M,
    data="samples.jsonl")`.

    Args:
        data: as in a recipe, or a list of rows: [{"prompt": …, "output": …, "reward": …}, …].
        eval_prompts: as in a recipe, or a list of texts or rows.
        metric, reward: as in a recipe, or functions.
        fresh: begin again where the folder holds a run.
        show: progress on the terminal.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    from luciola.config.load import from_mapping

    named = {
        "data": named_rows(data) if are_rows(data) else data,
        "eval_prompts": named_rows(eval_prompts, "eval_prompts"),
        "metric": named_objects(metric, "metric"),
        "reward": named_objects(reward),
    }
    return run(
        from_mapping(IlqlConfig, {**settings, **named}),
        fresh=fresh,
        show=show,
        rows=unnamed(data) if are_rows(data) else None,
        eval_prompts=unnamed(eval_prompts),
        metric=unnamed(metric),
        reward=unnamed(reward),
    )


def run(
    config: IlqlConfig,
    *,
    dry_run: bool = False,
    fresh: bool = False,
    show: bool = True,
    rows: Sequence[Any] | None = None,
    eval_prompts: Any = "",
    metric: Any = "",
    reward: Any = (),
) -> Result:
    """Carry out a recipe; Python objects stand in for what it names.

    Args:
        dry_run: check everything, say what would be trained, and stop.
        fresh: begin again where the folder holds a run.
        show: progress on the terminal.
        rows: samples, in the place of the recipe's data; the others likewise.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    check_machine(config)
    tokenizer = tokenizer_of(config)
    config = within_context(config)
    renderer = Renderer(tokenizer, template=config.template, system=config.system)
    logs = load_logs(config, renderer, rows)
    asked = eval_prompts or config.eval_prompts
    longest = config.max_length - config.max_new_tokens
    prompts = (
        read_prompts(
            asked, renderer, format=config.prompt_format, longest=longest, max_cut=config.max_cut
        )
        if asked
        else None
    )
    judging = load_metric(metric or config.metric)
    if config.template:  # checked by now; the model's folder keeps it
        tokenizer.chat_template = load_template(config.template)
    if dry_run:
        return describe_run(config, logs)

    def build(world: World, folder: RunFolder) -> Job:
        trainee = prepare(config, world)
        roles = world.unwrap(trainee.roles)
        assert isinstance(roles, QRoles)
        plan = plan_for(config, logs, trainee, world)
        judge = None
        if prompts is not None:
            scored = reward or config.reward
            judge = Answering(
                roles,
                prompts.usable,
                config,
                world,
                tokenizer,
                renderer.end_ids(),
                judging[0],
                judging[1],
                build_reward(
                    scored, device=world.device, trust_remote_code=config.trust_remote_code
                )
                if scored
                else None,
            )
        return Job(
            method=Ilql(trainee.roles, plan, world, config, judge),
            trainee=trainee,
            settings=replace(
                loop_settings(config, len(plan), plan.steps_per_epoch), eval_first=judge is not None
            ),
            introduction=introduction(config, logs, prompts, trainee, world, folder.path),
            title=f"ILQL of {config.model}",
            save=_saver(config, tokenizer),
            lr_scales={"heads": config.head_lr / config.lr} if config.head_lr and config.lr else {},
            curves=_curves(config, judging[1]),
        )

    short = config.data[0].path.rpartition(":")[2]
    name = run_name("ilql", config.model.rpartition(":")[2], short, as_mapping(config))
    given = {"samples": logs.fingerprint()}
    if prompts is not None:
        given["eval_prompts"] = prompts.fingerprint()
    return conduct(config, name, build, fresh=fresh, show=show, given=given)


def _saver(
    config: IlqlConfig, tokenizer: PreTrainedTokenizerBase
) -> Callable[[nn.Module, Path], None]:
    """Writes the model, and its heads beside it."""
    save = saver(config.model, tokenizer)
    chat = config.prompt_format == "chat"
    chat = chat or (config.prompt_format == "auto" and bool(tokenizer.chat_template))
    card = QCard(
        beta=config.decode_beta[-1],
        top_k=config.top_k,
        temperature=config.temperature,
        max_new_tokens=config.max_new_tokens,
        chat=chat,
        system=config.system,
    )

    def save_both(roles: nn.Module, folder: Path) -> None:
        assert isinstance(roles, QRoles)
        save(roles, folder)
        save_heads(roles.heads, card, folder)

    return save_both


def _curves(config: IlqlConfig, metric: str) -> dict[str, str]:
    """The loss, or where answers are judged, what they are worth by beta."""
    name = metric or ("score" if config.reward else "")
    if not name:
        return {"loss": "training"}
    return {f"eval/{name}@beta={beta:g}": f"beta {beta:g}" for beta in config.decode_beta}


def introduction(
    config: IlqlConfig,
    logs: Logs,
    prompts: Prompts | None,
    trainee: Trainee,
    world: World,
    folder: Path,
) -> list[str]:
    """What is trained, on what, where and how: the first lines of every run."""
    lines = [
        f"training {trainee.count} of {config.model} with ILQL on "
        f"{counted(len(logs.samples), 'sample')} {trainee.place(world)}, in {folder}",
        *world.notes,
        *logs.notes,
    ]
    if prompts is not None and prompts.too_long:
        total, limit = len(prompts) + prompts.too_long, config.max_length - config.max_new_tokens
        lines.append(cut_text(prompts.too_long, total, "prompt", left_out=True, limit=limit))
    return lines
