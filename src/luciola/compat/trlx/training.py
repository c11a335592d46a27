"""trlx.train: what it is given decides the method. PPO, ILQL or fine-tuning, over our recipes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from luciola.compat.trlx import recipes
from luciola.compat.trlx.config import (
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
)
from luciola.compat.trlx.rewards import FunctionReward, metric
from luciola.compat.trlx.sections import ILQLConfig, Method, PPOConfig, SFTConfig
from luciola.errors import FRESH, ConfigError, DataError
from luciola.fingerprints import Named, unnamed
from luciola.methods.given import named_objects, named_rows
from luciola.methods.job import Result

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luciola.data.dialogues import Dialogue
    from luciola.methods.examples import Examples

Side = Literal["right", "left"]
Texts = Sequence[str] | Sequence[Mapping[str, Any]]
Dialogues = Sequence[str] | Sequence[Sequence[str]]


def train(
    model_path: str | None = None,
    reward_fn: Callable[..., Any] | None = None,
    dataset: tuple[Dialogues, Sequence[float]] | None = None,
    samples: Dialogues | None = None,
    rewards: Sequence[float] | None = None,
    prompts: Texts | None = None,
    eval_prompts: Texts | None = None,
    metric_fn: Callable[..., Any] | None = None,
    config: TRLConfig | None = None,
    stop_sequences: Sequence[str] = (),
    *,
    show: bool = False,
) -> Result:
    """Train a model: by `reward_fn` with PPO, from `samples` and `rewards` with ILQL, from
    `samples` alone by fine-tuning.

    Args:
        model_path: hub id, folder, or bundled name; None: the configuration's model.
        reward_fn: called with those that it names of samples, prompts, outputs, tokenizer and the
            prompts' other columns; gives a number per sample, or a list of numbers, one per token.
        dataset: samples and rewards, as they were given before each had its own name.
        samples: texts, or dialogues [prompt, output, prompt, output, ...].
        rewards: one number per sample.
        prompts: texts, or rows with a "prompt" and other columns.
        eval_prompts: for evaluations; None: the first batch_size prompts (PPO), or none.
        metric_fn: as reward_fn; gives a list of numbers per name.
        config: None: the method's defaults.
        stop_sequences: texts that end an answer.
        show: progress on the terminal.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    if dataset is not None:
        samples, rewards = _parted(dataset, samples, rewards)
    method = "PPO" if reward_fn is not None else "SFT" if rewards is None else "ILQL"
    idle = {
        "samples": samples if method == "PPO" else None,
        "rewards": rewards if method == "PPO" else None,
        "prompts": None if method == "PPO" else prompts,
        "stop_sequences": None if method == "PPO" else stop_sequences,
        "eval_prompts": eval_prompts if _is_idle(method, metric_fn) else None,
        "metric_fn": metric_fn if _is_idle(method, eval_prompts) else None,
    }
    if unused := [name for name, value in idle.items() if value]:
        log.warning("train: no effect with %s: %s", method, ", ".join(unused))
    if reward_fn is not None:
        config = _config(config, PPOConfig, default_ppo_config)
        return _ppo(
            model_path or "",
            config,
            reward_fn,
            prompts,
            eval_prompts,
            metric_fn,
            stop_sequences,
            show=show,
        )
    if samples is None:
        raise ConfigError(
            "train: neither reward_fn nor samples is given",
            remedy="PPO takes reward_fn and prompts, ILQL samples and rewards, SFT samples.",
        )
    if rewards is None:
        config = _config(config, SFTConfig, default_sft_config)
        return _sft(model_path or "", config, samples, show=show)
    _check_rewards(samples, rewards)
    config = _config(config, ILQLConfig, default_ilql_config)
    return _ilql(model_path or "", config, samples, rewards, eval_prompts, metric_fn, show=show)


def _parted(dataset: Any, samples: Any, rewards: Any) -> tuple[Any, Any]:
    """The two halves of `dataset`.

    Raises: ConfigError where it is no pair, or stands beside what it holds.
    """
    remedy = "Give samples=SAMPLES, rewards=REWARDS; prompts=PROMPTS beside a reward_fn."
    if samples is not None or rewards is not None:
        raise ConfigError("train: dataset is given beside samples or rewards", remedy=remedy)
    if not isinstance(dataset, list | tuple) or len(dataset) != 2:
        got = f"a {type(dataset).__name__}"
        if isinstance(dataset, list | tuple):
            got += f" of {len(dataset)}"
        raise ConfigError(f"train: dataset must be (samples, rewards), got {got}", remedy=remedy)
    return tuple(dataset)


def _told(result: Result, *, resumes: bool) -> Result:
    """With the setting that goes on with an interrupted run, which this call does not name."""
    if result.ending != "interrupted" or resumes:
        return result
    text = result.text.replace(
        f"Run the same again without {FRESH} to go on from there.",
        "Call the same with train.resume_from_checkpoint=True to go on from there.",
    )
    return dataclasses.replace(result, text=text)


def _is_idle(method: str, other: Any) -> bool:
    """Whether evaluation is not possible: fine-tuning has none, ILQL's needs prompts and metric."""
    return method == "SFT" or (method == "ILQL" and not other)


def _config(
    given: TRLConfig | None, method: type[Method], default: Callable[[], TRLConfig]
) -> TRLConfig:
    config = given or default()
    if not isinstance(config.method, method):
        raise ConfigError(
            f"train: these arguments ask for {method.__name__}, and the configuration's method "
            f"is {type(config.method).__name__}"
        )
    return config


def _check_rewards(samples: Dialogues, rewards: Sequence[float]) -> None:
    samples = unnamed(samples)
    if len(samples) != len(rewards):
        raise DataError(f"train: {len(samples)} samples and {len(rewards)} rewards")


def _ppo(
    model: str,
    config: TRLConfig,
    reward_fn: Callable[..., Any],
    prompts: Texts | None,
    eval_prompts: Texts | None,
    metric_fn: Callable[..., Any] | None,
    stop_sequences: Sequence[str],
    *,
    show: bool,
) -> Result:
    if not prompts:
        raise ConfigError("train: reward_fn is given, and no prompts to answer")
    from luciola.config.load import from_mapping
    from luciola.config.online import PpoConfig
    from luciola.methods.online.running import run
    from luciola.models.load import load_tokenizer

    held_out = eval_prompts or list(unnamed(prompts))[: config.train.batch_size]
    settings = recipes.ppo(config, model, stop_sequences)
    tokenizer = load_tokenizer(settings["model"], trust_remote_code=settings["trust_remote_code"])
    reward = FunctionReward(unnamed(reward_fn), tokenizer)
    resumes = bool(config.train.resume_from_checkpoint)
    named = {
        "prompts": named_rows(prompts, "prompts", resumes=resumes),
        "eval_prompts": named_rows(held_out, "eval_prompts", resumes=resumes),
        "reward": [named_objects(reward_fn, "reward_fn", resumes=resumes)],
        "metric": named_objects(metric_fn or "", "metric_fn", resumes=resumes),
    }
    result = run(
        from_mapping(PpoConfig, {**settings, **named}, "TRLConfig"),
        fresh=not resumes,
        show=show,
        prompts=unnamed(prompts),
        reward=reward,
        eval_prompts=unnamed(held_out),
        metric="" if metric_fn is None else metric(unnamed(metric_fn), tokenizer),
    )
    return _told(result, resumes=resumes)


def _sft(model: str, config: TRLConfig, samples: Dialogues, *, show: bool) -> Result:
    from luciola.config.load import from_mapping
    from luciola.config.training import TrainingConfig
    from luciola.config.write import as_mapping
    from luciola.methods import sft
    from luciola.methods.requirements import check_machine
    from luciola.models.load import load_tokenizer
    from luciola.runs.recipe import run_name

    recipe = from_mapping(TrainingConfig, recipes.sft(config, model), "TRLConfig")
    check_machine(recipe)
    tokenizer = load_tokenizer(recipe.model, trust_remote_code=recipe.trust_remote_code)
    side: Side = "left" if config.tokenizer.truncation_side == "left" else "right"
    examples = examples_of(unnamed(samples), tokenizer, recipe.max_length, recipe.seed, side)
    resumes = bool(config.train.resume_from_checkpoint)
    data = named_rows(samples, "samples", resumes=resumes)
    name = run_name("sft", recipe.model, "samples", {**as_mapping(recipe), "data": data})
    result = sft.train(
        recipe, examples, tokenizer, name, fresh=not resumes, show=show, given={"samples": data}
    )
    return _told(result, resumes=resumes)


def examples_of(
    samples: Dialogues,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    seed: int,
    side: Side = "right",
) -> Examples:
    """Samples as fine-tuning reads them: of a text all is trained, of a dialogue the outputs.

    Raises: DataError where none is left to train on.
    """
    from luciola.conversation.render import Renderer
    from luciola.data.dialogues import DialogueRenderer, cut
    from luciola.data.statistics import statistics
    from luciola.methods.examples import Examples, Order, saves_work
    from luciola.methods.stream import Rendered

    render = DialogueRenderer(Renderer(tokenizer), max_length, side)
    whole = [render.whole(dialogue) for dialogue in dialogues_of(samples)]
    parts = [cut(tokens, max_length, side, render.begin) for tokens in whole]
    usable = [tokens for tokens in parts if tokens.trained.any()]
    if not usable:
        raise DataError(f"no sample has a trained token within seq_length={max_length}")
    return Examples(
        source=Rendered(usable),
        order=Order((len(usable),), (1.0,), seed),
        held_out=[],
        statistics=statistics(whole, max_length),
        notes=(),
        shared_prefixes=saves_work(usable),
    )


def dialogues_of(samples: Dialogues) -> list[Dialogue]:
    """Samples as dialogues, whose rewards do not count.

    Raises: DataError where a dialogue has an odd number of phrases.
    """
    from luciola.data.dialogues import read_dialogue
    from luciola.types import Origin

    return [
        read_dialogue(row, Origin("samples", number + 1))
        for number, row in enumerate(rows_of(samples, [0.0] * len(samples)))
    ]


def rows_of(samples: Dialogues, rewards: Sequence[float]) -> list[dict[str, Any]]:
    """Samples with their rewards, as rows of a data file."""
    return [
        {"samples": sample if isinstance(sample, str) else list(sample), "reward": float(reward)}
        for sample, reward in zip(samples, rewards, strict=True)
    ]


def _ilql(
    model: str,
    config: TRLConfig,
    samples: Dialogues,
    rewards: Sequence[float],
    eval_prompts: Texts | None,
    metric_fn: Callable[..., Any] | None,
    *,
    show: bool,
) -> Result:
    from luciola.config.ilql import IlqlConfig
    from luciola.config.load import from_mapping
    from luciola.methods.ilql_runs import run
    from luciola.models.load import load_tokenizer

    settings = recipes.ilql(config, model)
    resumes = bool(config.train.resume_from_checkpoint)
    rows = rows_of(unnamed(samples), rewards)
    data = samples if isinstance(samples, Named) else rows
    named: dict[str, Any] = {"data": named_rows(data, "samples", resumes=resumes)}
    if metric_fn is not None:
        named["metric"] = named_objects(metric_fn, "metric_fn", resumes=resumes)
    if eval_prompts and metric_fn is not None:
        named["eval_prompts"] = named_rows(eval_prompts, "eval_prompts", resumes=resumes)
    recipe = from_mapping(IlqlConfig, {**settings, **named}, "TRLConfig")
    judge = (
        ""
        if metric_fn is None
        else metric(
            unnamed(metric_fn),
            load_tokenizer(recipe.model, trust_remote_code=recipe.trust_remote_code),
        )
    )
    result = run(
        recipe,
        fresh=not resumes,
        show=show,
        rows=rows,
        eval_prompts=unnamed(eval_prompts) if judge else "",
        metric=judge,
    )
    return _told(result, resumes=resumes)
