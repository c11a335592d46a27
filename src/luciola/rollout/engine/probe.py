"""Whether a network that was read from a model computes what the model does.

Asked once, on a short prompt: all logits while the engine decodes token after token, against the
model's own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from luciola.rollout.engine import slots as at
from luciola.rollout.engine.decoding import decoded_states
from luciola.rollout.engine.devices import has_kernels
from luciola.rollout.engine.forward import logits
from luciola.rollout.engine.network import Network
from luciola.rollout.engine.segments import Segment, prefill
from luciola.rollout.engine.slots import Slots

PROMPT, DECODED = 12, 4
"""Tokens computed at once, and one by one after them."""
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2}
"""Of ‖difference‖ / ‖logits‖; bfloat16 rounds more."""
BFLOAT16_TOLERANCE = 1e-1


@torch.no_grad()
def difference(model: Any, network: Network) -> float:
    """‖difference‖ / ‖logits‖ between the network and its model; nan where one is not finite."""
    size = len(network.embedding)
    device = network.embedding.device
    ids = (torch.arange(PROMPT + DECODED) * 7919 + 13) % size  # spread over the vocabulary
    slots = Slots(network, 2, PROMPT + DECODED)
    prompt = tuple(ids[:PROMPT].tolist())
    prefill(network, slots.cache, slots.tables, [Segment(1, 0, prompt), Segment(0, 0, prompt)])
    states_of: Callable[[Network, Slots, int, int], Tensor] = decoded_states
    if has_kernels(device):
        from luciola.rollout.engine.kernels import kernel_states

        states_of = kernel_states(network)
    found: list[Tensor] = []
    for place in range(PROMPT, PROMPT + DECODED):
        slots.table[at.TOKEN] = ids[place].to(device)
        slots.table[at.POSITION] = place
        states = states_of(network, slots, 2, place + 1)
        found.append(logits(network, states)[1])
    was_training = model.training
    model.eval()
    try:
        expected = model(input_ids=ids[None].to(device), use_cache=False).logits[0, PROMPT:].float()
    finally:
        model.train(was_training)
    return float((torch.stack(found) - expected).norm() / expected.norm())


def agrees(model: Any, network: Network) -> bool:
    """Whether the difference is no more than rounding."""
    tolerance = TOLERANCE.get(network.embedding.dtype, BFLOAT16_TOLERANCE)
    return difference(model, network) <= tolerance
