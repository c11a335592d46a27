"""Asks a model once per run whether examples that share a row stay isolated.

Other libraries trust a combination of arguments; several of those leak in silence. Here the model
itself
answers: the outputs for one example must not move when its neighbour's tokens change, and must
equal those of the example alone up to rounding.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from luciola.data.rows import Row, Tree, packed_rows, tree_rows
from luciola.models.batch import Batch, logits_of
from luciola.models.precision import Autocast, computing
from luciola.types import Tokens

log = logging.getLogger(__name__)

_LENGTHS = (33, 21, 27)
_PREFIX = 12
_NEIGHBOUR_TOLERANCE = 1e-4
_ALONE_TOLERANCE = {False: 1e-3, True: 5e-2}  # float32, and with any bfloat16 in it


def isolates(model: nn.Module, kind: str, *, vocabulary: int, autocast: Autocast = False) -> bool:
    """Whether packed ("packed") or tree-shaped ("tree") rows of `model` equal their parts.

    Args:
        model: its attention is "luciola"; left in the mode (train or eval) it was in.
        kind: the layout to try.
        vocabulary: ids below this are used.
        autocast: as in the run.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad(), computing(device, autocast):
            return _compare(model, kind, vocabulary, device, autocast)
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
        log.info("%s rows are not possible with this model: %s", kind, error)
        return False
    finally:
        model.train(was_training)


def _compare(
    model: nn.Module, kind: str, vocabulary: int, device: torch.device, autocast: Autocast
) -> bool:
    settings: Any = model.config
    positions = getattr(settings.get_text_config(), "max_position_embeddings", None)
    size = vocabulary, positions or max(_LENGTHS)
    samples, others = _samples(kind, *size, 0), _samples(kind, *size, 1)
    first = _row(samples, kind).examples[0]  # what comes first in the row, all later ones could see
    changed = [others[i] if i == first else sample for i, sample in enumerate(samples)]

    def outputs(row: Row) -> Tensor:
        return logits_of(model, Batch.of(row, device)).float()

    def by_example(row: Row) -> dict[int, Tensor]:
        counts = [int(samples[member].trained.sum()) for member in row.examples]
        return dict(zip(row.examples, outputs(row).split(counts), strict=True))

    together, beside_others = by_example(_row(samples, kind)), by_example(_row(changed, kind))
    alone = {i: outputs(packed_rows([sample], 0)[0]) for i, sample in enumerate(samples)}
    moved = max(_distance(beside_others[i], together[i]) for i in together if i != first)
    off = max(_distance(together[i], alone[i]) for i in together)
    low = bool(autocast) or any(p.dtype != torch.float32 for p in model.parameters())
    log.debug("%s rows: moved by neighbours %.1e, off from alone %.1e", kind, moved, off)
    return moved <= _NEIGHBOUR_TOLERANCE and off <= _ALONE_TOLERANCE[low]


def _samples(kind: str, vocabulary: int, context: int, draw: int) -> list[Tokens]:
    """Three examples of random ids; in a tree they share their first tokens, whatever the draw."""
    shared = np.random.default_rng(7).integers(0, vocabulary, _PREFIX)
    random = np.random.default_rng(100 + draw)
    samples = []
    for length in (min(length, context - i) for i, length in enumerate(_LENGTHS)):
        ids = random.integers(0, vocabulary, length)
        trained = np.ones(length, bool)
        trained[0] = False
        if kind == "tree":
            ids[:_PREFIX] = shared
            trained[:_PREFIX] = False
        samples.append(Tokens(ids.astype(np.int32), trained))
    return samples


def _row(samples: list[Tokens], kind: str) -> Row:
    if kind == "packed":
        return packed_rows(samples, 10**6)[0]
    return tree_rows(samples, [Tree(_PREFIX, tuple(range(len(samples))))], 10**6)[0]


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp_min(1e-12))
