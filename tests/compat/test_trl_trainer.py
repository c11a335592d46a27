"""The classic trainer around its steps: arguments, data, logging, the GPU."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from classic_step import settings, trainer_of
from luciola.compat.trl import ClassicError, PPOTrainer


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"queries": "text"}, "queries must be a list of tensors, got str"),
        ({"responses": [1, 2, 3, 4]}, "elements of responses must be tensors, got int"),
        ({"scores": [torch.tensor(1.0)] * 3}, "does not match the 3 examples of scores"),
        ({"scores": [torch.ones(2)] * 4}, "one number each, got 2 at 0"),
        ({"scores": [torch.ones(1, 1)] * 4}, "one number each, got 2-D at 0"),
        ({"scores": [torch.tensor(math.nan)] * 4}, "scores[0] is nan"),
        ({"responses": [torch.tensor([5])] * 3 + [torch.tensor([], dtype=torch.long)]}, "at least"),
        ({"response_masks": [torch.ones(1)] * 4}, "response_masks[0] has shape (1,)"),
        (
            {"response_masks": [torch.zeros(n) for n in (4, 2, 5, 3)]},
            "response_masks[0] leaves no token of the response for its score",
        ),
    ],
)
def test_a_wrong_argument_is_named(
    changed: dict[str, Any], said: str, build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = trainer_of(build(), tokenizer)
    with pytest.raises(ValueError) as caught:
        trainer.step(**{**batch, **changed})
    assert said in str(caught.value) and isinstance(caught.value, ClassicError)


def test_the_trainer_refuses_what_it_cannot_use(build: Any, tokenizer: Any) -> None:
    model = build()
    for arguments, said in [
        (({}, model, None, tokenizer), "config must be a PPOConfig, got dict"),
        ((settings(), model.pretrained_model, None, tokenizer), "model must be an AutoModel"),
        ((settings(), model, model, tokenizer), "ref_model is the model itself"),
        ((settings(), model, None, "gpt2"), "tokenizer must be"),
    ]:
        with pytest.raises(ClassicError, match=said):
            PPOTrainer(*arguments)


def test_the_data_loader_gives_whole_shuffled_batches(build: Any, tokenizer: Any) -> None:
    rows = [{"input_ids": torch.arange(n + 1), "query": str(n)} for n in range(10)]
    trainer = PPOTrainer(settings(), build(), None, tokenizer, dataset=rows)
    batches = list(trainer.dataloader)
    assert [len(batch["query"]) for batch in batches] == [4, 4]
    assert [q for batch in batches for q in batch["query"]] != [str(n) for n in range(8)]
    assert all(len(i) == int(q) + 1 for i, q in zip(*batches[0].values(), strict=True))


def test_logged_statistics_reach_the_tracker(
    build: Any, tokenizer: Any, batch: Any, tmp_path: Any
) -> None:
    where = {"log_with": "tensorboard", "project_kwargs": {"logging_dir": str(tmp_path / "logs")}}
    trainer = trainer_of(build(), tokenizer, **where)
    texts = {"query": list("abcd"), "response": list("efgh")}
    logs = trainer.log_stats(trainer.step(**batch), texts, batch["scores"])
    assert logs["env/reward_mean"] == 0.8125
    assert logs["env/reward_std"] == pytest.approx(float(torch.stack(batch["scores"]).std()))
    assert logs["game_log"][1] == ["b", "f", -0.5]
    assert list((tmp_path / "logs" / "tensorboard").iterdir())


@pytest.mark.gpu
def test_a_step_on_the_gpu_takes_queries_from_the_cpu(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = PPOTrainer(settings(), build(), None, tokenizer)
    assert trainer.current_device.type == "cuda"
    sampling = {"do_sample": True, "top_k": 0, "top_p": 1.0, "max_new_tokens": 4}
    answers = trainer.generate(batch["queries"], return_prompt=False, **sampling)
    stats = trainer.step(batch["queries"], answers, batch["scores"])
    assert abs(stats["objective/kl"]) < 1e-3
