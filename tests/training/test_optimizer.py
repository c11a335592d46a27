"""The optimizer's groups and the running average."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from luciola.errors import ConfigError
from luciola.training.optimizer import Average, build_optimizer


def build(parameters: dict[str, nn.Parameter], kind: str = "adamw") -> torch.optim.Optimizer:
    return build_optimizer(
        parameters,
        kind=kind,  # type: ignore[arg-type]
        lr=0.1,
        betas=(0.9, 0.999),
        weight_decay=0.5,
    )


def test_vectors_are_never_decayed() -> None:
    """With a gradient of zero a matrix shrinks by lr * decay = 5 %, a bias stays."""
    matrix, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizer = build({"w": matrix, "b": bias})
    for parameter in (matrix, bias):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(matrix.data, torch.full((2, 2), 0.95))
    torch.testing.assert_close(bias.data, torch.ones(2))


def test_nothing_to_train_is_an_error() -> None:
    with pytest.raises(ConfigError, match="nothing would be trained"):
        build({})


def test_eight_bit_states_without_a_gpu_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs a GPU"):
        build({"w": nn.Parameter(torch.ones(2, 2))}, "adamw8bit")


def test_the_average_forgets_its_start_first_and_then_follows_slowly() -> None:
    """Decay 0.5. Steps 0 and 1 use 1/10 and 2/11: from 0 after seeing 1 and 1: 0.9, then 0.9818."""
    parameter = nn.Parameter(torch.zeros(1))
    average = Average({"w": parameter}, 0.5)
    parameter.data.fill_(1.0)
    average.update()
    assert average.values["w"].item() == pytest.approx(0.9)
    average.update()
    assert average.values["w"].item() == pytest.approx(1 - 0.1 * 2 / 11)


def test_the_average_is_applied_only_within() -> None:
    """The trained value is back afterwards, bit for bit, also after an error."""
    parameter = nn.Parameter(torch.tensor([0.1]))
    average = Average({"w": parameter}, 0.5)
    parameter.data.fill_(0.3)
    with pytest.raises(KeyError), average.applied():
        assert parameter.item() == pytest.approx(0.1)
        raise KeyError
    assert torch.equal(parameter.data, torch.tensor([0.3]))
