"""What an iteration begins with: answers sampled and scored, and what every role says of them.

Each process samples and reads its own share; then all answers are gathered into every process, so
that whitening, group baselines and running moments are the same in each.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from luciola.config.online import OnlineConfig
from luciola.methods.online.algorithms import Algorithm
from luciola.methods.online.diagnosis import check_start
from luciola.methods.online.experience import Experience, by_token
from luciola.methods.online.feedback import Feedback
from luciola.methods.online.prompts import Prompt
from luciola.methods.online.rhythm import Rhythm
from luciola.methods.online.sampling import Rollouts
from luciola.methods.online.scores import rollout_figures, shaped_scores
from luciola.objectives.moments import RunningMoments
from luciola.training.world import World


@dataclass(frozen=True)
class Collected:
    """An iteration's answers, ready to learn from.

    Args:
        experience: with the columns that the algorithm's losses read.
        moments: of all scores so far, these included.
        figures: of the iteration.
        seconds: of its parts.
    """

    experience: Experience
    moments: RunningMoments
    figures: dict[str, float]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Collector:
    """Samples, scores, and lets policy, reference and critic speak.

    Args:
        config: the recipe.
        algorithm: makes advantages of it.
        prompts: in the order of the data.
        rollouts: samples and scores.
        feedback: reads the roles without gradients.
        rhythm: which prompts are answered when.
        world: the processes.
        starts_equal: policy and reference are the same model at the start.
    """

    config: OnlineConfig
    algorithm: Algorithm
    prompts: Sequence[Prompt]
    rollouts: Rollouts
    feedback: Feedback
    rhythm: Rhythm
    world: World
    starts_equal: bool

    def collect(self, iteration: int, *, kl_coef: float, moments: RunningMoments) -> Collected:
        """The answers of an iteration.

        Raises: TrainingError where policy and reference should be the same and are not.
        """
        mine = self.rhythm.asked(iteration)[self.world.rank :: self.world.size]
        made = self.rollouts.make(self.prompts, mine, version=iteration)
        began = time.perf_counter()
        judged = self.feedback.judged(made)
        self.feedback.limit(min(self.world.gather([self.feedback.layout.capacity])))
        seconds = {**self.rollouts.seconds, "feedback": time.perf_counter() - began}
        experience = Experience.of(self.world.gather(judged))
        if iteration == 0 and self.starts_equal and not self.feedback.from_sampler:
            self._check_start(experience)
        scores, moments = shaped_scores(experience, self.config, moments)
        experience.columns["scores"] = by_token(scores, experience.mask)
        figures = self.algorithm.prepare(experience, scores, kl_coef)
        figures = {**rollout_figures(experience, scores), **figures, "objective/kl_coef": kl_coef}
        return Collected(experience, moments, figures, seconds)

    def _check_start(self, experience: Experience) -> None:
        columns = experience.columns
        apart = (columns["logprobs"] - columns["reference"]).abs()[experience.mask].mean()
        check_start(float(apart), rounded=bool(self.feedback.roles.autocast))
