"""Sums, counts and the check of masks and shapes."""

from __future__ import annotations

import pytest
import torch

from luciola.objectives.objective import Objective, cells


def test_means_are_sums_over_the_count() -> None:
    objective = Objective(torch.tensor(6.0), torch.tensor(3), {"ratio": torch.tensor(1.5)})
    assert objective.mean.item() == 2.0
    assert objective.means()["ratio"].item() == 0.5


def test_one_cell_is_its_own_mean() -> None:
    objective = Objective(torch.tensor(6.0), torch.tensor(1), {"ratio": torch.tensor(1.5)})
    assert objective.mean.item() == 6.0
    assert objective.means()["ratio"].item() == 1.5


def test_nothing_that_counts_gives_a_mean_of_zero_instead_of_nan() -> None:
    objective = Objective(torch.tensor(0.0), torch.tensor(0), {"ratio": torch.tensor(0.0)})
    assert objective.mean.item() == 0.0
    assert objective.means()["ratio"].item() == 0.0


def test_no_mask_means_that_every_cell_counts() -> None:
    assert cells(None, values=torch.zeros(2, 3)).tolist() == [[True] * 3] * 2


def test_a_mask_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="make it bool"):
        cells(torch.ones(2), values=torch.zeros(2))


def test_different_shapes_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"values \(2,\), rewards \(3,\)"):
        cells(None, values=torch.zeros(2), rewards=torch.zeros(3))
