"""Answers of a model that was trained with ILQL, judged at several weights of Q - V."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luciola.config.ilql import IlqlConfig
from luciola.methods.online.evaluation import metric_columns
from luciola.methods.online.prompts import Prompt
from luciola.models.q_heads import QRoles
from luciola.rollout.naive import NaiveSampler
from luciola.rollout.steering import Advantage
from luciola.rollout.text import read
from luciola.seeds import seed
from luciola.training.world import World
from luciola.types import Answered, Request, Reward, Sample, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Judged:
    """One answer: the number of its prompt, its text, its tokens, and its score (0 without a
    reward).
    """

    prompt: int
    output: str
    length: int
    score: float


@dataclass(frozen=True)
class Answering:
    """Answers prompts with the roles as they are, and judges the answers.

    Args:
        roles: the model with its heads.
        prompts: what is asked.
        config: the betas, how answers are sampled, how many.
        world: the processes, which share the prompts.
        tokenizer: turns tokens into text.
        end_ids: tokens that end an answer.
        metric: a person's function of samples, prompts and outputs; None: there is none.
        name: the metric's, where it returns a plain list.
        reward: judges as well; None: there is none.
    """

    roles: QRoles
    prompts: Sequence[Prompt]
    config: IlqlConfig
    world: World
    tokenizer: PreTrainedTokenizerBase
    end_ids: Collection[int]
    metric: Callable[..., Any] | None
    name: str
    reward: Reward | None

    def figures(self) -> dict[str, float]:
        """Means over the answers, each named eval/NAME@beta=BETA; the noise is the same every
        time.
        """
        found: dict[str, float] = {}
        for beta in self.config.decode_beta:
            made = self.world.gather(self._scored(self._answers(beta)))
            answers = sorted(made, key=lambda one: one.prompt)
            for name, column in self._columns(answers).items():
                found[f"eval/{name}@beta={beta:g}"] = sum(column) / len(column)
        return found

    def _answers(self, beta: float) -> list[tuple[int, Sample]]:
        """This process's answers, each with the number of its prompt."""
        steering = Advantage(self.roles.heads, beta)
        model: Any = self.roles.model
        sampler = NaiveSampler(model, end_ids=self.end_ids, steering=steering)
        config = self.config
        sampling = Sampling(config.max_new_tokens, config.temperature, config.top_k)
        numbers = range(self.world.rank, len(self.prompts), self.world.size)
        requests = [
            Request(
                self.prompts[number].ids,
                config.eval_answers,
                sampling,
                seed(config.seed, "evaluation", number),
            )
            for number in numbers
        ]
        samples = sampler.sample(requests) if requests else []
        return [(numbers[sample.request], sample) for sample in samples]

    def _scored(self, answers: Sequence[tuple[int, Sample]]) -> list[Judged]:
        """The answers as texts, with the reward's scores."""
        texts = [read(sample, self.tokenizer).text for _, sample in answers]
        scores: Sequence[Any] = [0.0] * len(answers)
        if self.reward is not None and answers:
            answered = [
                self._answered(self.prompts[number], text, sample)
                for text, (number, sample) in zip(texts, answers, strict=True)
            ]
            scores = self.reward.score(answered).scores
        return [
            Judged(number, text, len(sample.ids), _total(score))
            for text, score, (number, sample) in zip(texts, scores, answers, strict=True)
        ]

    def _columns(self, answers: Sequence[Judged]) -> dict[str, list[float]]:
        """Every figure, one value per answer."""
        columns = {"length": [float(one.length) for one in answers]}
        if self.reward is not None:
            columns["score"] = [one.score for one in answers]
        if self.metric is not None:
            prompts = [self.prompts[one.prompt].text for one in answers]
            outputs = [one.output for one in answers]
            joined = [prompt + output for prompt, output in zip(prompts, outputs, strict=True)]
            columns |= metric_columns(self.metric, self.name, joined, prompts, outputs)
        return columns

    def _answered(self, prompt: Prompt, output: str, sample: Sample) -> Answered:
        return Answered(
            prompt=prompt.text,
            answer=output,
            messages=prompt.messages,
            token_count=len(sample.ids),
            tokens=tuple(str(self.tokenizer.decode([i])) for i in sample.ids),
            finish=sample.finish,
            metadata=prompt.metadata,
        )


def _total(score: float | Sequence[float]) -> float:
    return float(score) if isinstance(score, int | float) else float(sum(score))
