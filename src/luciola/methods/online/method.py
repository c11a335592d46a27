"""The one online method: iterations of sampling, feedback and learning, whatever the algorithm.

An iteration's answers are gathered into every process, so that whitening, group baselines,
controllers and the order of the updates are the same in each; then each takes its share of every
batch. All randomness has an address; what is left to save is the position, the answers of the
iteration under way, the KL controller and the scores' running moments.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from luciola.config.online import OnlineConfig
from luciola.methods.base import Plain
from luciola.methods.online.algorithms import Algorithm
from luciola.methods.online.diagnosis import Watch, check_first_ratio, check_start
from luciola.methods.online.evaluation import Evaluation
from luciola.methods.online.experience import Experience, by_token
from luciola.methods.online.feedback import Feedback
from luciola.methods.online.now import ANSWERS, TOKENS, Now
from luciola.methods.online.prompts import Prompt
from luciola.methods.online.rhythm import Rhythm
from luciola.methods.online.sampling import Rollouts
from luciola.methods.online.scores import rollout_figures, shaped_scores
from luciola.methods.online.tracing import Pictures
from luciola.methods.stream import halved, lay_out, share
from luciola.models.batch import Batch
from luciola.objectives.kl import AdaptiveKl, FixedKl
from luciola.objectives.moments import RunningMoments
from luciola.objectives.ppo import ratio_is_sane
from luciola.runs.trace import TraceFile
from luciola.training.method import Term
from luciola.training.world import World


@dataclass(frozen=True)
class Micro:
    """A micro-batch: what the model reads, and the columns of its tokens on the device."""

    batch: Batch
    columns: Mapping[str, Tensor]


class Online(Plain):
    """PPO, A2C, GRPO or RLOO, as `algorithm` says.

    Args:
        roles: an `ActorCritic`, prepared for the run's processes.
        config: the recipe.
        algorithm: advantages and losses.
        prompts: in the order of the data.
        rollouts: samples and scores.
        feedback: reads the roles without gradients.
        evaluation: on held-out prompts; None: there are none.
        trace: where pictures go, in the main process; None: there are none.
        world: the processes.
        iterations: how many rounds.
        controller: the KL's weight.
        starts_equal: policy and reference are the same model at the start.
    """

    def __init__(
        self,
        roles: nn.Module,
        config: OnlineConfig,
        algorithm: Algorithm,
        prompts: Sequence[Prompt],
        rollouts: Rollouts,
        feedback: Feedback,
        evaluation: Evaluation | None,
        trace: TraceFile | None,
        world: World,
        iterations: int,
        controller: FixedKl | AdaptiveKl,
        *,
        starts_equal: bool,
    ) -> None:
        super().__init__(roles)
        self.config, self.algorithm, self.prompts = config, algorithm, prompts
        self.rollouts, self.feedback, self.evaluation = rollouts, feedback, evaluation
        self.trace, self.world = trace, world
        self.pictures = None
        if trace is not None:
            tokenizer = rollouts.tokenizer
            self.pictures = Pictures(trace, config, algorithm.name, prompts, tokenizer)
        self.rhythm = Rhythm(config, len(prompts), iterations)
        self.controller = controller
        self.starts_equal = starts_equal
        self.moments = RunningMoments()
        self.watch = Watch(config.max_new_tokens)
        self.iteration = self.position = self.step = 0
        self.skip_rest = False
        self.experience: Experience | None = None
        self._flat_figures: dict[str, float] = {}
        self._pending: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._update_began = 0.0

    def next_step(self) -> list[Micro] | None:
        """This process's share of the next batch; samples and scores first where it is time."""
        if self.experience is None:
            if self.iteration >= self.rhythm.iterations:
                return None
            self._begin()
        return self._laid_out()

    def halve(self) -> list[Micro] | None:
        """The last batch again, in rows half as long."""
        sizes = [(one.batch.ids.numel(), len(one.batch.examples)) for one in self._laid_out()]
        if (capacity := self.world.largest(halved(sizes))) is None:
            return None
        self._limit(capacity)
        return self._laid_out()

    def _limit(self, capacity: int) -> None:
        layout = replace(self.feedback.layout, capacity=capacity)
        self.feedback = replace(self.feedback, layout=layout)

    def _laid_out(self) -> list[Micro]:
        """This process's share of the batch at the position."""
        experience = self.experience
        assert experience is not None
        members = self.rhythm.members(self.iteration, self.position)
        layout = self.feedback.layout
        rows = lay_out([experience.samples[i] for i in members], layout.kind, layout.capacity)
        return [
            self._micro(experience, row, members)
            for row in share(rows, self.world.rank, self.world.size)
        ]

    def _micro(self, experience: Experience, row: Any, members: Sequence[int]) -> Micro:
        flat = experience.flat([members[i] for i in row.examples])
        device = self.world.device
        return Micro(Batch.of(row, device), {k: v.to(device) for k, v in flat.items()})

    def _begin(self) -> None:
        """Sample, score, and let policy, reference and critic speak."""
        asked = self.rhythm.asked(self.iteration)
        mine = asked[self.world.rank :: self.world.size]
        made = self.rollouts.make(self.prompts, mine, version=self.iteration)
        began = time.perf_counter()
        judged = self.feedback.judged(made)
        self._limit(min(self.world.gather([self.feedback.layout.capacity])))
        self._seconds = {**self.rollouts.seconds, "feedback": time.perf_counter() - began}
        experience = Experience.of(self.world.gather(judged))
        if self.iteration == 0 and self.starts_equal:
            columns = experience.columns
            apart = (columns["logprobs"] - columns["reference"]).abs()[experience.mask].mean()
            if not self.feedback.from_sampler:
                check_start(float(apart), rounded=bool(self.feedback.roles.autocast))
        scores, self.moments = shaped_scores(experience, self.config, self.moments)
        experience.columns["scores"] = by_token(scores, experience.mask)
        figures = self.algorithm.prepare(experience, scores, self.controller.coefficient)
        self._flat_figures = {**rollout_figures(experience, scores), **figures}
        self._flat_figures["objective/kl_coef"] = self.controller.coefficient
        self.experience = experience
        self._update_began = time.perf_counter()

    def weights(self, batch: Micro) -> dict[str, float]:
        """Tokens and answers divide the losses; all tokens are counted for the speed."""
        tokens = batch.batch.num_tokens if batch.batch.examples else 0
        return {
            TOKENS: float(len(batch.batch.labels)),
            ANSWERS: float(len(batch.batch.examples)),
            "tokens": float(tokens),
        }

    def loss(self, batch: Micro) -> dict[str, Term]:
        """The algorithm's terms."""
        reference = None
        if self.algorithm.needs_reference:
            reference = self.feedback.roles.reference_logits(batch.batch) / self.config.temperature
        outputs = self.roles(batch.batch)
        now = Now.of(outputs, batch.batch.labels, self.config.temperature, reference)
        return self.algorithm.terms(now, batch.columns)

    def accepts(self, means: Mapping[str, float]) -> bool:
        """Not a batch whose probabilities have run away."""
        return ratio_is_sane(means["policy/ratio"], self.config.ratio_threshold)

    def after_step(self, means: Mapping[str, float]) -> None:
        """The checks of the first step, the early stop, and the end of an iteration."""
        if self.iteration == 0 and self.position == 0:
            check_first_ratio(
                means["policy/ratio"],
                rounded=bool(self.feedback.roles.autocast),
                from_sampler=self.feedback.from_sampler,
            )
        self.position += 1
        self.step += 1
        ends_pass = self.position % self.rhythm.batches_per_pass == 0
        limit = 1.5 * self.config.target_kl
        stopped = bool(limit) and ends_pass and means["policy/policy_kl"] > limit
        if stopped or self.position == self.rhythm.steps_per_iteration:
            self._end(means, stopped)

    def _end(self, means: Mapping[str, float], stopped: bool) -> None:
        experience = self.experience
        assert experience is not None
        self._seconds["update"] = time.perf_counter() - self._update_began
        if self.pictures is not None and self.rhythm.is_traced(self.iteration):
            self.pictures.take(
                experience,
                self.feedback.policy,
                iteration=self.iteration,
                step=self.step,
                kl_coef=self.controller.coefficient,
            )
        skipped = self.rhythm.steps_per_iteration - self.position
        figures = {
            **self._flat_figures,
            "iteration": float(self.iteration + 1),
            "updates/skipped": float(skipped if stopped else 0),
            **{f"time/{name}": value for name, value in self._seconds.items()},
        }
        self.controller = self.controller.updated(figures["objective/kl"], len(experience))
        if self.world.is_main:
            self.watch.look(self.iteration, {**means, **figures})
        self._pending = figures
        self.iteration, self.position, self.experience = self.iteration + 1, 0, None

    def figures(self) -> Mapping[str, float]:
        """An iteration's figures, at its last step."""
        pending, self._pending = self._pending, {}
        return pending

    def evaluate(self) -> Mapping[str, float]:
        """Scores of answers to the held-out prompts."""
        return {} if self.evaluation is None else self.evaluation.figures(self.step)

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """The last weights are the result, unless patience looks at the score."""
        return -figures["eval/score"] if self.config.patience else None

    def describe(self, batches: Sequence[Micro]) -> str:
        """The iteration and the texts of its prompts."""
        experience = self.experience
        members = self.rhythm.members(self.iteration, self.position)[:3]
        names = (
            [self.prompts[experience.rollouts[i].prompt].text for i in members]
            if (experience)
            else []
        )
        shown = "; ".join(repr(name[:40]) for name in names)
        return f"iteration {self.iteration + 1}, answers to {shown}"

    def state_dict(self) -> dict[str, Any]:
        """The position, the answers under way, controller and moments."""
        experience = None if self.experience is None else self.experience.state_dict()
        return {
            "iteration": self.iteration,
            "position": self.position,
            "step": self.step,
            "experience": experience,
            "figures": dict(self._flat_figures),
            "kl_coef": self.controller.coefficient,
            "moments": self.moments.state_dict(),
            "said": dict(self.watch.said),
            "first": dict(self.watch.first),
            "micro_tokens": self.feedback.layout.capacity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the middle of an iteration, or between two."""
        self.iteration, self.position = state["iteration"], state["position"]
        self.step = state["step"]
        capacity = self.feedback.layout.capacity
        self._limit(min(capacity, state.get("micro_tokens", capacity)))
        saved = state["experience"]
        self.experience = None if saved is None else Experience.from_state(saved)
        self._flat_figures = state["figures"]
        self.controller = replace(self.controller, coefficient=state["kl_coef"])
        self.moments = RunningMoments.from_state(state["moments"])
        self.watch.said, self.watch.first = state["said"], state["first"]
        self._update_began = time.perf_counter()
        if self.trace is not None:
            self.trace.forget_after(self.step)
