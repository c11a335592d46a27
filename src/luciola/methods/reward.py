"""Reward models: one number for a prompt with its answer, learned from comparisons.

The score is read at the answer's last token, its end token, and trained with the Bradley-Terry
loss; a ranked list counts as the mean of all its pairs. Saved is a plain sequence classifier (or
its adapter) with `reward.json` beside it. Left out: rewards per token, several objectives.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from luciola.config.preference import RewardConfig
from luciola.config.write import as_mapping
from luciola.methods.comparing import Comparing
from luciola.methods.comparison_runs import describe_run, introduction, plan_for, use_template
from luciola.methods.comparisons import fingerprint, load_comparisons
from luciola.methods.job import Job, Result, loop_settings
from luciola.methods.pairing import ComparisonBatch
from luciola.methods.preparation import (
    adapt_scorer,
    begin,
    choose_packing,
    compile_layers,
)
from luciola.methods.requirements import check_machine
from luciola.methods.reward_results import RewardResults
from luciola.methods.running import conduct
from luciola.methods.trainee import Loaded, Trainee
from luciola.models.actor_critic import silence_dropout
from luciola.models.attention import NAME as ISOLATING
from luciola.models.classifier import (
    HiddenStates,
    RewardModel,
    load_classifier,
)
from luciola.models.context import within_context
from luciola.models.recomputing import recompute_activations
from luciola.objectives.preference import bradley_terry, is_correct
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.training.method import Term
from luciola.training.world import World


class Reward(Comparing):
    """A reward model on the comparisons of a plan.

    `roles` is a `RewardModel`; the plan gives one output per answer. `center` is the weight of the
    centring term.
    """

    center: float = 0.0

    def loss(self, batch: ComparisonBatch) -> dict[str, Term]:
        """Bradley-Terry a comparison, in nats; margins and scores are raw."""
        scores = self.roles(batch.batch)
        chosen, rejected = scores[batch.winners], scores[batch.losers]
        losses = bradley_terry(chosen, rejected, margin=batch.margins, centering=self.center)

        def figure(values: Tensor, scale: float = 0.0) -> Term:
            return Term((batch.shares * values).sum(), per="comparisons", scale=scale)

        return {
            "bradley_terry": figure(losses, scale=1.0),
            "accuracy": figure(is_correct(chosen, rejected).float()),
            "margin": figure((chosen - rejected).detach()),
            "score": Term(scores.detach().sum(), per="answers", scale=0.0),
        }


def reward_model(*, fresh: bool = False, **settings: Any) -> Result:
    """Train a reward model; the settings are those of `RewardConfig`, e.g. `reward_model(model=M,
    data="pairs.jsonl")`.

    Args:
        fresh: begin again where the folder holds a run.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    from luciola.config.load import from_mapping

    return run(from_mapping(RewardConfig, settings), fresh=fresh, show=False)


def run(
    config: RewardConfig, *, dry_run: bool = False, fresh: bool = False, show: bool = True
) -> Result:
    """Carry out a recipe, from its data files to a finished run's folder.

    Args:
        dry_run: check everything, say what would be trained, and stop.
        fresh: begin again where the folder holds a run.
        show: progress on the terminal.
    """
    from luciola.models.load import load_tokenizer

    check_machine(config)
    tokenizer = load_tokenizer(config.model, trust_remote_code=config.trust_remote_code)
    config = within_context(config)
    data = load_comparisons(config, tokenizer, closed=True)
    use_template(tokenizer, config)
    if dry_run:
        return describe_run(config, data)

    def build_job(world: World, folder: RunFolder) -> Job:
        trainee = prepare(config, world, shared_prefixes=data.shared_prefixes)
        plan = plan_for(config, data, trainee, world, scored=True)
        method = Reward(trainee.roles, plan, world)
        method.center = config.center
        results = RewardResults(config, method, tokenizer)
        return Job(
            method=method,
            trainee=trainee,
            settings=loop_settings(config, len(plan), plan.steps_per_epoch),
            introduction=introduction(config, data, trainee, world, folder.path),
            title=f"Reward model from {config.model}",
            save=results.save,
            report=results.report,
            sections=results.sections,
        )

    name = run_name("reward", config.model, config.data[0].path, as_mapping(config))
    given = {"comparisons": fingerprint(data)}
    return conduct(config, name, build_job, fresh=fresh, show=show, given=given)


def prepare(config: RewardConfig, world: World, *, shared_prefixes: bool) -> Trainee:
    """Load the model, give it a head for scores, and make it trainable as the recipe says.

    Dropout is off, but for that of the adapters, if the recipe asks for it.
    """
    precision = begin(config, world)
    classifier = load_classifier(
        config.model,
        dtype=precision.weights,
        device=world.device,
        attention="sdpa" if config.packing == "padded" else ISOLATING,
        run_seed=config.seed,
        trust_remote_code=config.trust_remote_code,
    )
    silence_dropout(classifier)
    if config.checkpointing:
        recompute_activations(classifier)
    model = adapt_scorer(classifier, config).train()
    kind = choose_packing(config, HiddenStates(model), precision, shared_prefixes=shared_prefixes)
    if config.compile:
        compile_layers(model)
    roles = RewardModel(model, autocast=precision.autocast)
    return Loaded(model, precision, kind).trainee(roles, world)
