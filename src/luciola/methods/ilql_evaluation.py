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
            columns = self._judged(self._answers(beta))
            for name, column in columns.items():
                found[f"eval/{name}@beta={beta:g}"] = sum(column) / len(column)
        return found

    def _answers(self, beta: float) -> list[tuple[int, Sample]]:
        """Every answer with the number of its prompt, in the prompts' order."""
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
        made = [(numbers[sample.request], sample) for sample in samples]
        return sorted(self.world.gather(made), key=lambda pair: pair[0])

    def _judged(self, answers: Sequence[tuple[int, Sample]]) -> dict[str, list[float]]:
        asked = [self.prompts[number] for number, _ in answers]
        outputs = [read(sample, self.tokenizer).text for _, sample in answers]
        texts = [prompt.text for prompt in asked]
        columns = {"length": [float(len(sample.ids)) for _, sample in answers]}
        if self.metric is not None:
            joined = [text + output for text, output in zip(texts, outputs, strict=True)]
            columns |= metric_columns(self.metric, self.name, joined, texts, outputs)
        if self.reward is not None:
            answered = [
                self._answered(prompt, output, sample)
                for prompt, output, (_, sample) in zip(asked, outputs, answers, strict=True)
            ]
            columns["score"] = [_total(score) for score in self.reward.score(answered).scores]
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
