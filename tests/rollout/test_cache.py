"""The growing layer, and the prefixes kept."""

from __future__ import annotations

import pytest
import torch
from transformers.cache_utils import DynamicLayer

from luciola.rollout.cache import GrowingLayer, Prefix, PrefixCache


@pytest.mark.parametrize("room", [0, 3, 100])
def test_a_growing_layer_holds_what_a_dynamic_layer_holds(room: int) -> None:
    torch.manual_seed(0)
    blocks = [torch.randn(2, 3, length, 3, 4) for length in (2,) * 5]
    plain = DynamicLayer()
    plain.update(blocks[0][0], blocks[0][1])
    layer = GrowingLayer(blocks[0][0], blocks[0][1], room)
    for keys, values in blocks[1:]:
        assert all(map(torch.equal, layer.update(keys, values), plain.update(keys, values)))
    rows = torch.tensor([2, 0])
    layer.batch_select_indices(rows)
    plain.batch_select_indices(rows)
    assert torch.equal(layer.keys, plain.keys) and torch.equal(layer.values, plain.values)
    assert layer.get_seq_length() == plain.get_seq_length()


def test_growing_leaves_the_tensors_it_began_with_alone() -> None:
    keys = torch.ones(1, 1, 2, 1)
    layer = GrowingLayer(keys, keys, 4)
    layer.update(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    layer.keys.zero_()
    assert keys.sum() == 2


def prefix(*ids: int) -> Prefix:
    states = torch.tensor(ids, dtype=torch.float32)[None, None, :, None]
    return Prefix(ids, ((states, states),))


def test_the_longest_common_part_is_found_and_cut() -> None:
    kept = PrefixCache()
    kept.keep(prefix(1, 2, 3, 4))
    kept.keep(prefix(9, 9))
    found = kept.longest((1, 2, 3, 7))
    assert found is not None and found.ids == (1, 2, 3)
    assert found.layers[0][0].flatten().tolist() == [1, 2, 3]
    assert kept.longest((5,)) is None


def test_what_is_continued_is_replaced_and_the_oldest_is_forgotten() -> None:
    kept = PrefixCache(entries=2)
    kept.keep(prefix(1, 2))
    kept.keep(prefix(1, 2, 3))
    assert len(kept) == 1
    kept.keep(prefix(4, 5))
    kept.longest((1, 2, 3))  # used, so (4, 5) is now the oldest
    kept.keep(prefix(6, 7))
    assert kept.longest((4, 5)) is None
    assert kept.longest((1, 2, 3)) is not None
    kept.clear()
    assert kept.longest((1, 2, 3)) is None
