"""Answers: without padding, up to their first end token, of drawn lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from luciola.compat.trl import ClassicError, LengthSampler, PPOConfig, PPOTrainer

END = 96
GREEDY = {"do_sample": False, "max_new_tokens": 5, "eos_token_id": -1}
SAMPLED = {"do_sample": True, "top_k": 0.0, "top_p": 1.0, "min_length": -1}
QUERIES = [torch.tensor(ids) for ids in ([4, 5, 6], [7], [8, 9, 10, 11], [12, 13], [14, 15, 16])]


@pytest.fixture
def trainer(build: Any, tokenizer: Any) -> PPOTrainer:
    """Over a fresh policy."""
    return PPOTrainer(PPOConfig(batch_size=2, mini_batch_size=2), build(), None, tokenizer)


class Counting(nn.Module):
    """Answers every query with the numbers from its length on, then ends and pads."""

    device = torch.device("cpu")

    def generate(self, input_ids: Tensor, attention_mask: Tensor, **settings: Any) -> Tensor:
        """Each row: its length n, n + 1, ... , one number fewer than n, the end, the end."""
        self.settings = settings
        rows = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            n = int(mask.sum())
            answer = torch.full((8,), END)
            answer[: n - 1] = torch.arange(n, 2 * n - 1)
            rows.append(torch.cat([ids, answer]))
        return torch.stack(rows)


def test_answers_to_a_list_equal_those_one_by_one(trainer: PPOTrainer) -> None:
    """Whatever stands beside them in their chunk: the padding on the left has no say."""
    together = trainer.generate(QUERIES, batch_size=3, **GREEDY)
    for query, answer in zip(QUERIES, together, strict=True):
        assert torch.equal(answer, trainer.generate(query, **GREEDY)[0])
        assert torch.equal(answer[: len(query)], query) and len(answer) == len(query) + 5


def test_without_the_prompt_the_answer_remains(trainer: PPOTrainer) -> None:
    whole = trainer.generate(QUERIES, **GREEDY)
    alone = trainer.generate(QUERIES, return_prompt=False, **GREEDY)
    for query, long, short in zip(QUERIES, whole, alone, strict=True):
        assert torch.equal(long, torch.cat([query, short]))
    assert trainer.generate(QUERIES[0], return_prompt=False, **GREEDY).shape == (1, 5)


def test_an_answer_ends_at_its_first_end_token_which_it_keeps(trainer: PPOTrainer) -> None:
    """Also behind a query that itself holds an end token."""
    trainer.model = Counting()
    queries = [torch.tensor([END, 5, 6]), torch.tensor([9])]
    answers = trainer.generate(queries, max_new_tokens=8)
    assert [a.tolist() for a in answers] == [[END, 5, 6, 3, 4, END], [9, END]]
    short = trainer.generate(queries, return_prompt=False)
    assert [a.tolist() for a in short] == [[3, 4, END], [END]]


def test_lengths_are_drawn_once_a_chunk(trainer: PPOTrainer) -> None:
    lengths = iter([2, 3, 4])
    answers = trainer.generate(
        QUERIES, lambda: next(lengths), 2, False, do_sample=False, eos_token_id=-1
    )
    assert [len(answer) for answer in answers] == [2, 2, 3, 3, 4]


def test_the_length_sampler_leaves_out_its_upper_end() -> None:
    np.random.seed(0)
    sampler = LengthSampler(2, 8)
    assert {sampler() for _ in range(200)} == {2, 3, 4, 5, 6, 7}
    with pytest.raises(ClassicError, match="no length to draw"):
        LengthSampler(4, 4)


def test_the_settings_of_classic_scripts_are_understood(trainer: PPOTrainer) -> None:
    torch.manual_seed(0)
    first = trainer.generate(QUERIES, **SAMPLED, max_new_tokens=4, pad_token_id=END)
    torch.manual_seed(0)
    again = trainer.generate(QUERIES, **SAMPLED, max_new_tokens=4, pad_token_id=END)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_reference_answers_too(trainer: PPOTrainer) -> None:
    with torch.no_grad():
        trainer.model.pretrained_model.lm_head.weight.mul_(-1)
    mine, theirs = trainer.generate(QUERIES, generate_ref_response=True, **GREEDY)
    assert len(mine) == len(theirs) and not torch.equal(mine[0], theirs[0])


def test_a_query_of_two_dimensions_is_refused(trainer: PPOTrainer) -> None:
    with pytest.raises(ClassicError, match=r"got \(1, 3\)"):
        trainer.generate(QUERIES[0][None], **GREEDY)
