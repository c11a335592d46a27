"""Scores as an algorithm sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from luciola.config.online import GrpoConfig
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.experience import Experience, Rollout, by_token
from luciola.methods.online.scores import rollout_figures, shaped_scores
from luciola.objectives.moments import RunningMoments


def scored(*scores: Any, finish: Any = "end") -> Experience:
    """Answers to one prompt, each with a score or with one per token."""
    made = []
    for index, score in enumerate(scores):
        length = len(score) if isinstance(score, tuple) else 2
        figures = (-0.5,) * length
        made.append(
            Rollout(
                index, 0, 0, (5,), (7,) * length, finish, figures, score, {},
                logprobs=figures, reference=figures, kls=(0.0,) * length, entropies=figures,
            )
        )  # fmt: skip
    return Experience.of(made)


def config(**given: Any) -> GrpoConfig:
    return GrpoConfig(**{"model": "m", "prompts": "p", "reward": ("f",), **given})


def test_centred_scores_of_tokens_leave_the_padding_alone() -> None:
    """1, 3 | 2: mean 2, deviation 1: -1, 1 | 0 and nothing behind it. Both answers then sum to 0,
    so neither has an advantage; with a centred padding the short one would have had -2.
    """
    made = scored((1.0, 3.0), (2.0,))
    recipe = config(score_scaling="normalize")
    shaped, _ = shaped_scores(made, recipe, RunningMoments())
    assert shaped.flatten().tolist() == pytest.approx([-1.0, 1.0, 0.0, 0.0], abs=1e-6)
    algorithm_for(recipe).prepare(made, shaped, 0.0)
    assert made.columns["advantages"].abs().max() < 1e-3


def test_scores_are_divided_by_the_deviation_of_all_so_far() -> None:
    """1 and 3, then 5: the deviation of the three is 2."""
    recipe = config(score_scaling="scale")
    first, moments = shaped_scores(scored(1.0, 3.0), recipe, RunningMoments())
    assert first.tolist() == pytest.approx([1 / 2**0.5, 3 / 2**0.5])
    second, _ = shaped_scores(scored(5.0), recipe, moments)
    assert second.tolist() == pytest.approx([2.5])


def test_a_reward_may_be_called_like_a_figure() -> None:
    """Answers of 1 and 3; the rewards called mean and std gave 10 and 20 to each."""
    made = scored(1.0, 3.0)
    parts = {"mean": 10.0, "std": 20.0}
    made = Experience.of([replace(one, parts=parts) for one in made.rollouts])
    made.columns["entropies"] = made.columns["sampled"] = made.columns["logprobs"]
    figures = rollout_figures(made, torch.tensor([1.0, 3.0]))
    assert figures["score/mean"] == 2.0
    assert figures["score/std"] == pytest.approx(2**0.5)
    assert (figures["component/mean"], figures["component/std"]) == (10.0, 20.0)


@pytest.mark.parametrize("score", [4.0, (1.0, 3.0)])
def test_a_missing_end_costs_the_answer_once(score: Any) -> None:
    shaped, _ = shaped_scores(
        scored(score, finish="length"), config(missing_end_penalty=1.5), RunningMoments()
    )
    assert float(shaped.sum()) == 2.5
    assert torch.equal(shaped[..., -1].flatten(), torch.tensor([2.5 if score == 4.0 else 1.5]))


@pytest.mark.parametrize("finish", ["end", "stop"])
def test_an_answer_that_came_to_its_end_or_to_a_stop_text_pays_nothing(finish: str) -> None:
    recipe = config(missing_end_penalty=1.5)
    shaped, _ = shaped_scores(scored(4.0, finish=finish), recipe, RunningMoments())
    assert shaped.tolist() == [4.0]


def test_the_score_of_an_answer_stands_at_its_last_token() -> None:
    mask = torch.tensor([[True, True, True], [True, True, False]])
    expected = [[0.0, 0.0, 5.0], [0.0, 7.0, 0.0]]
    assert by_token(torch.tensor([5.0, 7.0]), mask).tolist() == expected


def test_beside_scores_of_tokens_that_of_an_answer_is_its_last_tokens() -> None:
    made = scored((1.0, 2.0, 3.0), 4.0)
    assert made.scores.tolist() == [[1.0, 2.0, 3.0], [0.0, 4.0, 0.0]]
