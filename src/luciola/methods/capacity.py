"""How large micro-batches are where the recipe does not say: as large as fits the card."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from luciola.config.training import TrainingConfig
from luciola.memory.cards import CUDA_BYTES, Card, card_at_hand
from luciola.methods.preparation import default_micro_tokens
from luciola.training.world import World

if TYPE_CHECKING:
    from luciola.errors import TrainingError

log = logging.getLogger(__name__)


def micro_tokens(config: TrainingConfig, world: World, *, trained_share: float = 1.0) -> int:
    """Tokens per forward pass, the same in every process: the recipe's, or what the GPU holds.

    Args:
        trained_share: of the data's tokens that are trained; a full micro-batch may have more.
    """
    if config.micro_tokens:
        return config.micro_tokens
    if world.device.type != "cuda":
        return default_micro_tokens(world.device)
    share = min(1.0, 1.25 * trained_share)
    return min(world.gather([_fitting(config, share, free_card())]))


def _fitting(config: TrainingConfig, trained_share: float, card: Card | None) -> int:
    from luciola.methods.planning import Planner

    usual = default_micro_tokens(torch.device("cuda"))
    if card is None:
        return usual
    try:
        planner = Planner(config, has_bfloat16=card.has_bfloat16, trained_share=trained_share)
        found = planner.largest_fitting(card)
    except Exception as error:  # a forecast must never be what stops a run
        log.warning("memory was not predicted (%s); micro_tokens=%s", error, f"{usual:,}")
        return usual
    if found is None:
        log.warning("one full example may not fit on %s; luciola plan says more", card.name)
        return config.max_length
    log.info("micro_tokens=%s, the largest that fits on %s", f"{found:,}", card.name)
    return found


def free_card() -> Card | None:
    """The card at hand as far as no other program uses it; None: there is none."""
    card = card_at_hand()
    if card is None:
        return None
    free, _ = torch.cuda.mem_get_info()
    ours = free + torch.cuda.memory_reserved() + CUDA_BYTES
    return Card(card.name, min(card.total_bytes, ours), card.has_bfloat16)


def explained(config: TrainingConfig, error: Exception, processes: int) -> TrainingError | None:
    """The error to show where memory ran out for good; None where nothing more can be said."""
    from luciola.methods.remedies import too_large

    try:
        return too_large(config, str(error), card_at_hand(), processes=processes)
    except Exception as other:
        log.warning("memory was not predicted (%s)", other)
        return None
