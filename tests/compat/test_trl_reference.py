"""The frozen copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from luciola.compat.trl import ClassicError, create_reference_model

IDS = torch.tensor([[5, 6, 7]])


def test_a_reference_is_a_frozen_copy_that_stays(build: Any) -> None:
    model = build()
    reference = create_reference_model(model)
    before = reference(input_ids=IDS)[0]
    assert torch.equal(before, model(input_ids=IDS)[0])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert torch.equal(reference(input_ids=IDS)[0], before)
    assert not any(p.requires_grad for p in reference.parameters()) and not reference.training
    assert all(p.requires_grad for p in model.parameters())


def test_first_layers_are_shared_and_frozen(build: Any) -> None:
    model = build()
    reference = create_reference_model(model, num_shared_layers=1)
    assert torch.equal(reference(input_ids=IDS)[0], model(input_ids=IDS)[0])
    theirs = dict(reference.named_parameters())
    for name, mine in model.named_parameters():
        shared = (".h.1." not in name and ".h." in name) or ".wte." in name or ".wpe." in name
        assert (mine is theirs[name]) is shared, name
        assert mine.requires_grad is not shared, name


def test_layers_that_are_not_there_are_named(build: Any) -> None:
    with pytest.raises(ClassicError, match="no layer 9 found"):
        create_reference_model(build(), num_shared_layers=9)
    with pytest.raises(ClassicError, match="pattern="):
        create_reference_model(build(), num_shared_layers=1, pattern="blocks.{layer}")
    named = create_reference_model(build(), 1, pattern="transformer.h.{layer}")
    assert not named.training
