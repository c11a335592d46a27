"""From a recipe of an online method to a finished run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from luciola.config.online import A2cConfig, ActorCriticConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.config.training import VIRTUAL
from luciola.config.write import as_mapping
from luciola.conversation.render import Renderer
from luciola.errors import ConfigError
from luciola.fingerprints import Named, unnamed
from luciola.methods.capacity import micro_tokens
from luciola.methods.given import named_objects, named_rows
from luciola.methods.job import Job, Result, loop_settings
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.collecting import Collector
from luciola.methods.online.evaluation import Evaluation
from luciola.methods.online.feedback import Feedback, Layout
from luciola.methods.online.introduction import introduction, plan_text
from luciola.methods.online.method import Online
from luciola.methods.online.preparing import Config, controller_for, prepare
from luciola.methods.online.prompts import Prompts, read_prompts
from luciola.methods.online.rhythm import Rhythm
from luciola.methods.online.summary import headlines, table
from luciola.methods.online.tracing import Pictures
from luciola.methods.preparation import tokenizer_of
from luciola.methods.requirements import check_machine
from luciola.methods.running import conduct
from luciola.methods.sft import saver
from luciola.models.actor_critic import ActorCritic
from luciola.models.context import context_length
from luciola.plugins import load_object
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.runs.trace import NAME as TRACE
from luciola.runs.trace import TraceFile
from luciola.training import checkpoint
from luciola.training.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CLASSES: dict[str, type[Config]] = {
    "ppo": PpoConfig,
    "a2c": A2cConfig,
    "grpo": GrpoConfig,
    "rloo": RlooConfig,
}


def entry(method: str) -> Callable[..., Result]:
    """The Python call of a method: `ppo(model=M, prompts=P, reward=R, ...)`.

    Prompts may be a list of texts or rows, the reward and the metric functions, instead of what a
    recipe would name. With `fresh=True` a run begins again where its folder holds one.
    """

    def call(
        *,
        prompts: Any,
        reward: Any,
        eval_prompts: Any = "",
        metric: Any = "",
        fresh: bool = False,
        show: bool = False,
        **settings: Any,
    ) -> Result:
        from luciola.config.load import from_mapping

        prompts, eval_prompts = _kept(prompts), _kept(eval_prompts)
        named = {
            "prompts": named_rows(prompts, "prompts"),
            "eval_prompts": named_rows(eval_prompts, "eval_prompts"),
            "reward": named_objects(reward),
            "metric": named_objects(metric, "metric"),
        }
        config = from_mapping(CLASSES[method], {**settings, **named})
        return run(
            config,
            fresh=fresh,
            show=show,
            prompts=unnamed(prompts),
            reward=unnamed(reward),
            eval_prompts=unnamed(eval_prompts),
            metric=unnamed(metric),
        )

    call.__name__ = call.__qualname__ = method
    call.__doc__ = f"{CLASSES[method].__doc__}\n\n    {entry.__doc__}"
    return call


def _kept(rows: Any) -> Any:
    """Rows that can be gone through more than once, or what names them."""
    if isinstance(rows, Named):
        return Named(rows.name, list(rows.thing))
    return rows if isinstance(rows, str | Path) else list(rows)


def run(
    config: Config,
    *,
    dry_run: bool = False,
    fresh: bool = False,
    show: bool = True,
    prompts: Any = None,
    reward: Any = None,
    eval_prompts: Any = None,
    metric: Any = None,
) -> Result:
    """Carry out a recipe; Python objects stand in for what it names.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    check_machine(config)
    context_length(config.model, trust_remote_code=config.trust_remote_code)  # it can be read
    algorithm = algorithm_for(config)
    tokenizer = tokenizer_of(config)
    renderer = Renderer(tokenizer, template=config.template, system=config.system)
    longest = config.max_length - config.max_new_tokens

    def read(source: Any) -> Prompts:
        return read_prompts(
            source, renderer, format=config.prompt_format, longest=longest, max_cut=config.max_cut
        )

    training = read(config.prompts if prompts is None else prompts)
    held_out = (config.eval_prompts if eval_prompts is None else eval_prompts) or None
    evaluated = None if held_out is None else read(held_out)
    judge = load_metric(config.metric if metric is None else metric)
    iterations = config.iterations or max(
        1, round(config.epochs * len(training) * config.answers / config.rollouts)
    )
    if dry_run:
        return Result(Path(), Path(), "dry run", text=plan_text(config, training, iterations))

    def build(world: World, folder: RunFolder) -> Job:
        trainee, rollouts = prepare(config, world, tokenizer, renderer, reward)
        roles = world.unwrap(trainee.roles)
        assert isinstance(roles, ActorCritic)
        capacity = micro_tokens(config, world)
        feedback = Feedback(
            roles,
            Layout(trainee.kind, capacity),
            world.device,
            config.temperature,
            config.kl_estimator,
            config.old_logprobs == "sampler",
        )
        evaluation = None
        if evaluated is not None:
            evaluation = Evaluation(
                evaluated.usable, rollouts, judge[0], judge[1], world, config.seed
            )
        rhythm = Rhythm(config, len(training.usable), iterations)
        starts_equal = not config.reference and config.adapter not in VIRTUAL
        collector = Collector(
            config, algorithm, training.usable, rollouts, feedback, rhythm, world, starts_equal
        )
        pictures = _pictures(config, folder, training, tokenizer) if world.is_main else None
        method = Online(trainee.roles, collector, controller_for(config), evaluation, pictures)
        total = iterations * rhythm.steps_per_iteration
        total = min(total, config.max_steps) if config.max_steps else total
        every = rhythm.steps_per_iteration * max(1, iterations // 10)
        settings = loop_settings(config, total, every)
        return Job(
            method=method,
            trainee=trainee,
            settings=_with_first(settings, evaluation is not None),
            introduction=introduction(config, training, trainee, world, folder.path, iterations),
            title=f"{algorithm.name.upper()} of {config.model}",
            save=_saver(config, tokenizer),
            lr_scales=_lr_scales(config),
            adam_eps=config.adam_eps,
            report=lambda: headlines(folder.metrics()),
            sections=lambda path: {
                "Iterations": table(folder.metrics()),
                "Where the time went": seconds(path),
            },
            curves={"score/mean": "score", "objective/kl": "KL", "eval/score": "held out"},
        )

    name = run_name(algorithm.name, config.model, _short(config.prompts), as_mapping(config))
    given = {"prompts": training.fingerprint()}
    if evaluated is not None:
        given["eval_prompts"] = evaluated.fingerprint()
    return conduct(config, name, build, fresh=fresh, show=show, given=given)


def _pictures(
    config: Config, folder: RunFolder, prompts: Prompts, tokenizer: PreTrainedTokenizerBase
) -> Pictures | None:
    """Where the run keeps what happened to each token, from its beginning or as it stands."""
    if not config.trace_prompts:
        return None
    file = TraceFile(folder.path / TRACE)
    if checkpoint.latest(folder.checkpoints) is None:
        file.forget_after(0)
    return Pictures(file, config, algorithm_for(config).name, prompts.usable, tokenizer)


def seconds(folder: Path) -> dict[str, str]:
    """Seconds of each part over the run, and their share of all iterations."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    totals: dict[str, float] = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith("time/"):
                totals[name[5:]] = totals.get(name[5:], 0.0) + value
    whole = sum(value for name, value in totals.items() if "/" not in name) or 1.0
    return {name: f"{value:.1f} s, {value / whole:.0%}" for name, value in totals.items()}


def load_metric(spec: Any) -> tuple[Any, str]:
    """A metric's function and its name; (None, "") where there is none."""
    if not spec:
        return None, ""
    if callable(spec):
        return spec, getattr(spec, "__name__", "metric")
    function = load_object(str(spec))
    if not callable(function):
        raise ConfigError(f"metric: {spec} is no function")
    return function, str(spec).rpartition(":")[2]


def _saver(
    config: Config, tokenizer: PreTrainedTokenizerBase
) -> Callable[[torch.nn.Module, Path], None]:
    save = saver(config.model, tokenizer)

    def save_actor(roles: torch.nn.Module, folder: Path) -> None:
        model: Any = roles.model
        others = [n for n in getattr(model, "peft_config", ()) if n != model.active_adapter]
        for name in others:
            model.delete_adapter(name)
        save(roles, folder)

    return save_actor


def _lr_scales(config: Config) -> dict[str, float]:
    if not (isinstance(config, ActorCriticConfig) and config.critic_lr and config.lr):
        return {}
    return dict.fromkeys(("value_head", "critic"), config.critic_lr / config.lr)


def _with_first(settings: Any, evaluates: bool) -> Any:
    return replace(settings, eval_first=evaluates)


def _short(prompts: str) -> str:
    return prompts.rpartition(":")[2] if ":" in prompts else prompts


__all__: Sequence[str] = ["CLASSES", "entry", "run"]
