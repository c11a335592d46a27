"""The mask of a padded batch, laid out so that no kernel copies it."""

from __future__ import annotations

import torch
from torch import Tensor

from luciola.rollout.visible import ALIGNMENT, Visible

PADDING = torch.tensor([[True, True, False, False, False], [False] * 5])


def starts(mask: Tensor) -> set[int]:
    """How the rows of a mask are apart, (B, 1, T, S)."""
    return {mask.stride(0) % ALIGNMENT, mask.stride(2) % ALIGNMENT}


def test_slots_are_hidden_where_there_is_padding() -> None:
    bias = Visible(PADDING, torch.float32).bias
    assert bias.shape == (2, 1, 1, 5)
    assert torch.equal(bias[:, 0, 0] == -torch.inf, PADDING)
    assert starts(bias) == {0}


def test_new_slots_are_seen_by_all_rows_however_many_come() -> None:
    visible = Visible(PADDING, torch.float32)
    for _ in range(300):
        visible.append()
        assert starts(visible.bias) == {0}
    bias = visible.bias[:, 0, 0]
    assert bias.shape == (2, 305)
    assert torch.equal(bias[:, :5] == -torch.inf, PADDING)
    assert not bias[:, 5:].any()


def test_tokens_see_what_is_before_them_and_padding_sees_itself() -> None:
    bias = Visible(PADDING, torch.float32).causal(1, 4)
    assert bias.shape == (2, 1, 3, 4)
    seen = (bias[:, 0] == 0).tolist()
    assert seen[0] == [
        [False, True, False, False],
        [False, False, True, False],
        [False, False, True, True],
    ]
    assert seen[1] == [[True, True, False, False], [True, True, True, False], [True] * 4]
    assert starts(bias) == {0}


def test_kept_rows_keep_their_masks() -> None:
    visible = Visible(PADDING, torch.bfloat16)
    visible.select([1])
    visible.append()
    assert visible.bias.shape == (1, 1, 1, 6)
    assert not visible.bias.any() and visible.bias.dtype == torch.bfloat16
