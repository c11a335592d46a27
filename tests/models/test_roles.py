"""Noise on the embeddings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.data.rows import Tree, packed_rows, padded_rows, tree_rows
from luciola.models.batch import Batch
from luciola.models.roles import Policy, embedding_noise, example_lengths
from support import build_llama


def test_noise_stays_within_alpha_over_the_root_of_length_times_width() -> None:
    """alpha 5, L 4, H 25: a = 5 / 10 = 0.5, reached to within 1 % by 2,500 draws, never passed."""
    torch.manual_seed(0)
    noisy = embedding_noise(torch.zeros(1, 100, 25), torch.full((1, 100), 4), alpha=5.0)
    assert 0.495 < noisy.abs().max() <= 0.5
    assert noisy.mean().abs() < 0.02


def test_noise_is_there_in_training_only(samples: Any) -> None:
    """Training outputs differ from call to call, evaluation outputs equal those without noise."""
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    noisy, plain = Policy(build_llama(), neftune_alpha=5.0), Policy(build_llama())
    assert not torch.equal(noisy.train()(batch).logprobs, noisy.train()(batch).logprobs)
    assert torch.equal(noisy.eval()(batch).logprobs, plain.eval()(batch).logprobs)


def test_asking_a_model_about_its_head_draws_no_noise(
    samples: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that goes on asks again, in the middle: its noise must be that of an uninterrupted
    one.
    """
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    policy = Policy(build_llama(), neftune_alpha=5.0).train()
    found = []
    for _ in range(2):  # the first pass asks
        torch.manual_seed(3)
        found.append(policy(batch).logprobs)
    assert torch.equal(*found)
    assert not caplog.text


def test_every_token_knows_the_length_of_its_example(samples: Any) -> None:
    """A branch counts its prefix; the prefix itself counts for itself."""
    group = samples([12, 9], prefix=5)
    packed = Batch.of(packed_rows(group, 100)[0], "cpu")
    assert example_lengths(packed)[0].tolist() == [12] * 12 + [9] * 9
    tree = Batch.of(tree_rows(group, [Tree(5, (0, 1))], 100)[0], "cpu")
    assert example_lengths(tree)[0].tolist() == [5] * 5 + [12] * 7 + [9] * 4
    padded = Batch.of(padded_rows(group, 100)[0], "cpu")
    assert example_lengths(padded).tolist() == [[12], [9]]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_scores_are_float32_whatever_the_weights(kind: torch.dtype, samples: Any) -> None:
    batch = Batch.of(packed_rows(samples([12, 9]), 100)[0], "cpu")
    assert Policy(build_llama().to(kind), autocast=True)(batch).logprobs.dtype == torch.float32
