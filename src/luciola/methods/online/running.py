"""From a recipe of an online method to a finished run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from luciola.config.online import A2cConfig, ActorCriticConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.config.write import as_mapping
from luciola.conversation.render import Renderer
from luciola.errors import ConfigError
from luciola.methods.online.algorithms import algorithm_for, critic_of
from luciola.methods.online.evaluation import Evaluation
from luciola.methods.online.feedback import Feedback, Layout
from luciola.methods.online.method import Online
from luciola.methods.online.prompts import Prompts, read_prompts
from luciola.methods.online.sampling import Rollouts
from luciola.methods.preparation import (
    Trainee,
    adapt,
    choose_packing,
    compile_layers,
    default_micro_tokens,
    load,
    make_deterministic,
)
from luciola.methods.running import Job, Result, conduct, loop_settings
from luciola.methods.sft import saver
from luciola.models.actor_critic import ActorCritic
from luciola.models.adapters import count_parameters, trained_parameters
from luciola.models.load import load_model, load_tokenizer
from luciola.models.precision import choose_precision, computes_bfloat16
from luciola.models.roles_building import build_roles, frozen_copy
from luciola.models.scorer import Scorer
from luciola.models.shared_scorer import shared_scorer
from luciola.objectives.kl import AdaptiveKl, FixedKl
from luciola.plugins import load_object
from luciola.rewards.building import build_reward
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.weights import SamplingWeights
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.runs.trace import NAME as TRACE
from luciola.runs.trace import TraceFile
from luciola.training import checkpoint
from luciola.training.world import World
from luciola.types import Reward, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Config = PpoConfig | A2cConfig | GrpoConfig | RlooConfig
CLASSES: dict[str, type[Config]] = {
    "ppo": PpoConfig,
    "a2c": A2cConfig,
    "grpo": GrpoConfig,
    "rloo": RlooConfig,
}


def entry(method: str) -> Callable[..., Result]:
    """The Python call of a method: `ppo(model=M, prompts=P, reward=R, ...)`.

    Prompts may be a list of texts or rows, the reward and the metric functions, instead of what a
    recipe would name.
    """

    def call(
        *,
        prompts: Any,
        reward: Any,
        eval_prompts: Any = "",
        metric: Any = "",
        show: bool = False,
        **settings: Any,
    ) -> Result:
        from luciola.config.load import from_mapping

        given = {"prompts": prompts, "reward": reward, "eval_prompts": eval_prompts}
        named = {key: _name(value) for key, value in {**given, "metric": metric}.items()}
        config = from_mapping(CLASSES[method], {**settings, **named})
        return run(
            config,
            show=show,
            prompts=prompts,
            reward=reward,
            eval_prompts=eval_prompts,
            metric=metric,
        )

    call.__name__ = call.__qualname__ = method
    call.__doc__ = f"{CLASSES[method].__doc__}\n\n    {entry.__doc__}"
    return call


def _name(value: Any) -> Any:
    """How a Python object stands in a recipe."""
    if isinstance(value, str | Path) or (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(v, str) for v in value)
        and any(":" in v or v == "person" for v in value)
    ):
        return value
    if callable(value) or hasattr(value, "score"):
        return f"<{getattr(value, '__name__', type(value).__name__)}>"
    return f"<{len(value)} rows>"


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
    algorithm = algorithm_for(config)
    tokenizer = load_tokenizer(config.model)
    renderer = Renderer(tokenizer, template=config.template, system=config.system)
    longest = config.max_length - config.max_new_tokens

    def read(source: Any) -> Prompts:
        return read_prompts(source, renderer, format=config.prompt_format, longest=longest)

    training = read(config.prompts if prompts is None else prompts)
    held_out = (config.eval_prompts if eval_prompts is None else eval_prompts) or None
    evaluated = None if held_out is None else read(held_out)
    judge = load_metric(config.metric if metric is None else metric)
    iterations = config.iterations or max(
        1, round(config.epochs * len(training) * config.answers / config.rollouts)
    )
    if dry_run:
        return Result(Path(), Path(), "dry run", text=_plan(config, training, iterations))

    def build(world: World, folder: RunFolder) -> Job:
        trainee, rollouts = prepare(config, world, tokenizer, renderer, reward)
        roles = world.unwrap(trainee.roles)
        assert isinstance(roles, ActorCritic)
        capacity = config.micro_tokens or default_micro_tokens(world.device)
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
        trace = TraceFile(folder.path / TRACE) if world.is_main and config.trace_prompts else None
        if trace is not None:
            trace.forget_after(0 if not _has_checkpoint(folder) else 1 << 62)
        method = Online(
            trainee.roles,
            config,
            algorithm,
            training.usable,
            rollouts,
            feedback,
            evaluation,
            trace,
            world,
            iterations,
            controller_for(config),
            starts_equal=not config.reference,
        )
        total = iterations * method.steps_per_iteration
        total = min(total, config.max_steps) if config.max_steps else total
        every = method.steps_per_iteration * max(1, iterations // 10)
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
            curves={"score/mean": "score", "objective/kl": "KL", "eval/score": "held out"},
        )

    name = run_name(algorithm.name, config.model, _short(config.prompts), as_mapping(config))
    return conduct(config, name, build, fresh=fresh, show=show)


def prepare(
    config: Config,
    world: World,
    tokenizer: PreTrainedTokenizerBase,
    renderer: Renderer,
    reward: Any = None,
) -> tuple[Trainee, Rollouts]:
    """The roles, ready to train, and what samples and scores with them."""
    make_deterministic(config.deterministic)
    precision = choose_precision(config.precision, world.device, full=config.adapter == "full")
    model = load(config, world, precision)
    continued = hasattr(model, "peft_config")
    if config.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    trained: Any = adapt(model, config)
    reference = None
    if config.reference:
        other = load_model(
            config.reference,
            dtype=precision.weights,
            device=world.device,
            attention=model.config._attn_implementation,
        )
        reference = frozen_copy(other)
    trained.train()
    kind = choose_packing(config, trained, precision, shared_prefixes=config.answers > 1)
    if config.compile:
        compile_layers(trained)
    roles = build_roles(
        trained,
        adapter=config.adapter,
        lora=config.lora,
        continued=continued,
        critic=critic_of(config),
        value_init=config.value_init if isinstance(config, ActorCriticConfig) else "zero",
        reference=reference,
        autocast=precision.autocast,
        run_seed=config.seed,
    ).to(world.device)
    weights = SamplingWeights(trained, _sampling_dtype(config, world, precision.autocast))
    sampler = NaiveSampler(weights.model, end_ids=renderer.end_ids(), tokenizer=tokenizer)
    scores = reward_for(config, world, reward, roles)  # may put one more adapter on the base
    trainee = Trainee(
        world.prepare(roles), trained_parameters(roles), count_parameters(roles), precision, kind
    )
    sampling = Sampling(config.max_new_tokens, config.temperature)
    return trainee, Rollouts(
        weights, sampler, scores, tokenizer, sampling, config.answers, config.stop
    )


def _sampling_dtype(config: Config, world: World, autocast: bool) -> torch.dtype | None:
    """Of the copy that is sampled from; None: none is needed."""
    if autocast and computes_bfloat16(world.device):
        return torch.bfloat16
    return torch.float32 if config.adapter != "full" else None


def reward_for(config: Config, world: World, given: Any, roles: ActorCritic) -> Reward:
    """The recipe's reward, or the Python object in its place; a reward model on the policy's own
    base where that is possible and wanted.
    """

    def shared(folder: Path) -> Scorer | None:
        if not config.share_reward_base:
            return None
        return shared_scorer(roles.model, config.model, folder, autocast=roles.autocast)

    spec: Any = config.reward if given is None else given
    return build_reward(spec, device=world.device, scorers=shared)


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


def controller_for(config: Config) -> FixedKl | AdaptiveKl:
    """How the KL's weight follows the KL."""
    if isinstance(config, ActorCriticConfig) and config.kl_target:
        return AdaptiveKl(config.kl_coef, config.kl_target, config.kl_horizon)
    return FixedKl(config.kl_coef)


def introduction(
    config: Config,
    prompts: Prompts,
    trainee: Trainee,
    world: World,
    folder: Path,
    iterations: int,
) -> list[str]:
    """What is trained, on what, where and how: the first lines of every run."""
    device = torch.cuda.get_device_name() if world.device.type == "cuda" else "the CPU"
    processes = f" in {world.size} process{'es' * (world.size > 1)}"
    lines = [
        f"training {trainee.count} of {config.model} with {algorithm_for(config).name.upper()} on "
        f"{len(prompts):,} prompts, {iterations:,} iterations of {config.rollouts} answers, "
        f"on {device}{processes}, {trainee.precision}, {trainee.kind} rows, in {folder}",
        *world.notes,
    ]
    if prompts.too_long:
        lines.append(f"{prompts.too_long:,} prompts are left out: longer than max_length leaves")
    whose = "the trainer, which computes" if config.old_logprobs == "trainer" else "the sampler;"
    if config.old_logprobs == "trainer":
        lines.append(f"log-probabilities of sampling are those of {whose} them once more")
    else:
        lines.append("log-probabilities of sampling are the sampler's own, as it rounds them")
    return lines


def _plan(config: Config, prompts: Prompts, iterations: int) -> str:
    steps = iterations * config.updates * -(-config.rollouts // config.batch)
    return (
        f"would train {config.model} on {len(prompts):,} prompts: {iterations:,} iterations of "
        f"{config.rollouts} answers, {steps:,} steps of {config.batch}"
    )


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


def _has_checkpoint(folder: RunFolder) -> bool:
    return checkpoint.latest(folder.checkpoints) is not None


def _short(prompts: str) -> str:
    return prompts.rpartition(":")[2] if ":" in prompts else prompts


__all__: Sequence[str] = ["CLASSES", "entry", "run"]
