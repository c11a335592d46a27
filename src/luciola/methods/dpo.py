"""Direct preference optimisation: prefer the better answer, without a reward model.

Source: Rafailov et al. 2023, https://arxiv.org/abs/2305.18290. The reference is the model as it was
when the run began (or another one), whatever is trained: its log-probabilities are computed once,
before the first step, and kept in the checkpoint, so that no second model is in memory while
training. Ranked lists count as the mean of all their pairs. Left out: iterating with new samples.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from luciola.config.preference import DpoConfig
from luciola.config.write import as_mapping
from luciola.methods.comparing import Comparing
from luciola.methods.comparison_runs import describe_run, introduction, plan_for, use_template
from luciola.methods.comparisons import fingerprint, load_comparisons
from luciola.methods.job import Job, Result, loop_settings
from luciola.methods.pairing import ComparisonBatch, ComparisonPlan
from luciola.methods.preparation import prepare, tokenizer_of
from luciola.methods.requirements import check_machine
from luciola.methods.running import conduct
from luciola.methods.sft import saver
from luciola.models.actor_critic import silence_dropout
from luciola.models.context import within_context
from luciola.models.layout import moved
from luciola.models.load import load_model
from luciola.models.precision import choose_precision
from luciola.models.roles import Policy
from luciola.objectives.preference import dpo as dpo_objective
from luciola.objectives.preference import is_correct
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.training.method import Term
from luciola.training.world import World

log = logging.getLogger(__name__)


class Dpo(Comparing):
    """DPO over the comparisons of a plan.

    Args:
        roles: a `Policy` without dropout, prepared for the run's processes.
        plan: this process's micro-batches by step, one output per trained token.
        world: the processes.
        config: beta, the kind of loss, label smoothing, and the reference.
    """

    def __init__(
        self, roles: nn.Module, plan: ComparisonPlan, world: World, config: DpoConfig
    ) -> None:
        super().__init__(roles, plan, world)
        self.config = config
        self.reference: Tensor | None = None

    def next_step(self) -> list[ComparisonBatch] | None:
        """The micro-batches of the next step; before the first one the reference is asked."""
        if self.reference is None:
            self.reference = self._ask_reference()
        return super().next_step()

    def evaluate(self) -> dict[str, float]:
        """The loss and its figures on the held-out comparisons; empty where there are none."""
        if self.reference is None:
            self.reference = self._ask_reference()
        return super().evaluate()

    def loss(self, batch: ComparisonBatch) -> dict[str, Term]:
        """The chosen DPO loss a comparison; implicit rewards β·log(π / π_ref), in nats."""
        assert self.reference is not None  # asked before the first step
        logprobs = answer_logprobs(self.roles, batch)
        reference = moved(self.reference[batch.answers], logprobs.device)
        pairs = dpo_objective(
            logprobs[batch.winners],
            logprobs[batch.losers],
            reference[batch.winners],
            reference[batch.losers],
            beta=self.config.beta,
            kind=self.config.loss,
            label_smoothing=self.config.label_smoothing,
        )
        chosen, rejected = pairs.chosen_rewards, pairs.rejected_rewards

        def figure(values: Tensor, scale: float = 0.0) -> Term:
            return Term((batch.shares * values).sum(), per="comparisons", scale=scale)

        return {
            "dpo": figure(pairs.losses, scale=1.0),
            "rewards/chosen": figure(chosen),
            "rewards/rejected": figure(rejected),
            "rewards/margin": figure(chosen - rejected),
            "rewards/accuracy": figure(is_correct(chosen, rejected).float()),
            "logprobs/chosen": figure(logprobs[batch.winners].detach()),
            "logprobs/rejected": figure(logprobs[batch.losers].detach()),
        }

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, and the reference's log-probabilities."""
        return {**super().state_dict(), "reference": self.reference}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        super().load_state_dict(state)
        self.reference = state["reference"]

    def _ask_reference(self) -> Tensor:
        """(answers,) float32 log-probability of each answer that the run will use, in nats."""
        began = time.perf_counter()
        values = torch.zeros(self.plan.data.first_answers[-1], dtype=torch.float32)
        policy = self._reference_policy()
        was_training = policy.training
        policy.eval()

        def read(batches: Iterable[ComparisonBatch]) -> list[tuple[int, float]]:
            found: list[tuple[int, float]] = []
            for batch in batches:
                logprobs = answer_logprobs(policy, batch).tolist()
                found += zip(batch.answers.tolist(), logprobs, strict=True)
            return found

        found = self.without_gradients(self._used, read)
        policy.train(was_training)
        for number, value in self.world.gather(found):
            values[number] = value
        log.info("asked the reference in %.1f s", time.perf_counter() - began)
        return values

    def _used(self) -> Iterator[ComparisonBatch]:
        """Every comparison of the run once, in the rows of its first step: rounded as there, so
        that the first loss is ln 2 to the bit.
        """
        seen: set[int] = set()
        for step in range(len(self.plan)):
            numbers = self.plan.numbers(step)
            if not seen.issuperset(numbers):
                yield from self.plan.lay_out(numbers)
                seen.update(numbers)
        yield from self.plan.lay_out(self.plan.data.held_out)

    def _reference_policy(self) -> nn.Module:
        if not self.config.reference:
            return self.roles
        full = self.config.adapter == "full"
        precision = choose_precision(self.config.precision, self.world.device, full=full)
        attention = "sdpa" if self.plan.kind == "padded" else "luciola"
        model = load_model(
            self.config.reference,
            dtype=precision.weights,
            device=self.world.device,
            attention=attention,
            trust_remote_code=self.config.trust_remote_code,
        )
        return Policy(model, autocast=precision.autocast)


def answer_logprobs(policy: nn.Module, batch: ComparisonBatch) -> Tensor:
    """(N,) float32 sum of the log-probabilities of each answer's tokens, in nats."""
    tokens = policy(batch.batch).logprobs
    owner = torch.arange(len(batch.counts), device=tokens.device).repeat_interleave(
        batch.counts, output_size=len(tokens)
    )
    return tokens.new_zeros(len(batch.counts)).index_add(0, owner, tokens)


def dpo(*, fresh: bool = False, **settings: Any) -> Result:
    """Train a model on comparisons; the settings are those of `DpoConfig`, e.g. `dpo(model=M,
    data="pairs.jsonl")`.

    Args:
        fresh: begin again where the folder holds a run.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    from luciola.config.load import from_mapping

    return run(from_mapping(DpoConfig, settings), fresh=fresh, show=False)


def run(
    config: DpoConfig, *, dry_run: bool = False, fresh: bool = False, show: bool = True
) -> Result:
    """Carry out a recipe, from its data files to a finished run's folder.

    Args:
        dry_run: check everything, say what would be trained, and stop.
        fresh: begin again where the folder holds a run.
        show: progress on the terminal.
    """
    check_machine(config)
    tokenizer = tokenizer_of(config)
    config = within_context(config)
    data = load_comparisons(config, tokenizer, closed=False)
    use_template(tokenizer, config)
    if dry_run:
        return describe_run(config, data)

    def build_job(world: World, folder: RunFolder) -> Job:
        trainee = prepare(config, world, shared_prefixes=data.shared_prefixes)
        silence_dropout(world.unwrap(trainee.roles))
        plan = plan_for(config, data, trainee, world, scored=False)
        return Job(
            method=Dpo(trainee.roles, plan, world, config),
            trainee=trainee,
            settings=loop_settings(config, len(plan), plan.steps_per_epoch),
            introduction=introduction(config, data, trainee, world, folder.path),
            title=f"DPO of {config.model}",
            save=saver(config.model, tokenizer),
            curves=CURVES,
        )

    name = run_name("dpo", config.model, config.data[0].path, as_mapping(config))
    given = {"comparisons": fingerprint(data)}
    return conduct(config, name, build_job, fresh=fresh, show=show, given=given)


CURVES: Mapping[str, str] = {
    "loss": "training",
    "eval/loss": "held out",
    "rewards/margin": "reward margin",
}
