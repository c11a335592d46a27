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

from luciola.methods.base import Plain
from luciola.methods.online.collecting import Collector
from luciola.methods.online.diagnosis import Watch, check_first_ratio
from luciola.methods.online.evaluation import Evaluation
from luciola.methods.online.experience import Experience
from luciola.methods.online.now import ANSWERS, TOKENS, Now
from luciola.methods.online.prompts import fingerprint
from luciola.methods.online.tracing import Pictures
from luciola.methods.planned import data_changed
from luciola.methods.stream import halved, lay_out, share
from luciola.models.batch import Batch
from luciola.models.layout import moved
from luciola.objectives.kl import AdaptiveKl, FixedKl
from luciola.objectives.moments import RunningMoments
from luciola.objectives.ppo import ratio_is_sane
from luciola.training.method import Term


@dataclass(frozen=True)
class Micro:
    """A micro-batch: what the model reads, and the columns of its tokens on the device."""

    batch: Batch
    columns: Mapping[str, Tensor]


class Online(Plain):
    """PPO, A2C, GRPO or RLOO, as the collector's algorithm says.

    Args:
        roles: an `ActorCritic`, prepared for the run's processes.
        collector: makes an iteration's answers.
        controller: the KL's weight.
        evaluation: on held-out prompts; None: there are none.
        pictures: of the traced answers, in the main process; None: there are none.
    """

    def __init__(
        self,
        roles: nn.Module,
        collector: Collector,
        controller: FixedKl | AdaptiveKl,
        evaluation: Evaluation | None,
        pictures: Pictures | None,
    ) -> None:
        super().__init__(roles)
        self.collector, self.controller = collector, controller
        self.evaluation, self.pictures = evaluation, pictures
        self.config, self.algorithm = collector.config, collector.algorithm
        self.feedback, self.rhythm = collector.feedback, collector.rhythm
        self.world = collector.world
        self.moments = RunningMoments()
        self.watch = Watch(self.config.max_new_tokens)
        self.iteration = self.position = self.step = 0
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
        self.feedback.limit(capacity)
        return self._laid_out()

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
        return Micro(Batch.of(row, device), {k: moved(v, device) for k, v in flat.items()})

    def _begin(self) -> None:
        """Answers for the iteration, with all that is known of them."""
        made = self.collector.collect(
            self.iteration, kl_coef=self.controller.coefficient, moments=self.moments
        )
        self.experience, self.moments = made.experience, made.moments
        self._flat_figures, self._seconds = made.figures, made.seconds
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
        full_kl = self.algorithm.needs_full_kl
        now = Now.read(self.roles, batch.batch, self.config.temperature, full_kl=full_kl)
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

    def best(self, badness: float) -> Mapping[str, float]:
        """The highest score."""
        return {"eval_score": -badness}

    def describe(self, batches: Sequence[Micro]) -> str:
        """The iteration and the texts of its prompts."""
        experience = self.experience
        members = self.rhythm.members(self.iteration, self.position)[:3]
        asked = [experience.rollouts[i].prompt for i in members] if experience else []
        names = [self.collector.prompts[i].text for i in asked]
        shown = "; ".join(repr(name[:40]) for name in names)
        return f"iteration {self.iteration + 1}, answers to {shown}"

    def state_dict(self) -> dict[str, Any]:
        """The position, the answers under way, controller and moments."""
        experience = None if self.experience is None else self.experience.state_dict()
        return {
            "iteration": self.iteration,
            "position": self.position,
            "step": self.step,
            "data": fingerprint(self.collector.prompts),
            "experience": experience,
            "figures": dict(self._flat_figures),
            "kl_coef": self.controller.coefficient,
            "moments": self.moments.state_dict(),
            "said": dict(self.watch.said),
            "first": dict(self.watch.first),
            "micro_tokens": self.feedback.layout.capacity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the middle of an iteration, or between two.

        Raises: DataError if the prompts are not those that the run began with.
        """
        begun_with = state.get("data")  # older checkpoints do not say
        if begun_with is not None and begun_with != fingerprint(self.collector.prompts):
            raise data_changed("prompts")
        self.iteration, self.position = state["iteration"], state["position"]
        self.step = state["step"]
        self.feedback.limit(state["micro_tokens"])
        saved = state["experience"]
        self.experience = None if saved is None else Experience.from_state(saved)
        self._flat_figures = state["figures"]
        self.controller = replace(self.controller, coefficient=state["kl_coef"])
        self.moments = RunningMoments.from_state(state["moments"])
        self.watch.said, self.watch.first = state["said"], state["first"]
        self._update_began = time.perf_counter()
        if self.pictures is not None:
            self.pictures.file.forget_after(self.step)
