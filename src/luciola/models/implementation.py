"""Which attention function a model gets: the one asked for where its family computes the same by
it, else the fastest that the family has.

transformers gives an unknown attention to every family without a word. A family whose scores carry
something else (ALiBi, a position bias of its own) would then compute something else: so families
that do not promise to take any attention are asked, once, whether they say what they said before.
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from luciola.models.attention import NAME as ISOLATING

log = logging.getLogger(__name__)

PROBE = tuple(range(3, 27))
"""Token ids of the question; modulo the vocabulary."""
SPARSE = "index_topk"
"""Setting of families that choose the tokens to see themselves, under their own attentions only."""
TOLERANCE = {torch.float32: 1e-4}
TOLERANCE_HALF = 3e-2


def candidates(config: Any, wanted: str) -> tuple[str, ...]:
    """Names of attention functions to try, the best first."""
    family = family_class(config)
    has_sdpa = getattr(family, "_supports_sdpa", True)
    takes_any = getattr(family, "_supports_attention_backend", True)
    if wanted == ISOLATING and hasattr(config.get_text_config(decoder=True), SPARSE):
        wanted = "sdpa"
    if wanted == ISOLATING:
        first = (ISOLATING,) if has_sdpa or takes_any else ()
        return (*first, *(("sdpa",) if has_sdpa else ()), "eager")
    if wanted == "sdpa":
        return ("sdpa", "eager") if has_sdpa else ("eager",)
    return (wanted,)


def family_class(config: Any) -> Any:
    """The model's class in transformers; None where the model brings its own code."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return None
    found = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    return found[0] if isinstance(found, tuple | list) else found


def is_refusal(error: BaseException, name: str) -> bool:
    """Whether a model could not be built because of its attention function."""
    known = isinstance(error, KeyError) and error.args == (name,)
    return known or "attention implementation" in str(error) or "attn_implementation" in str(error)


def settle(model: Any) -> None:
    """Take "luciola" away from a model that computes something else with it."""
    if model.config._attn_implementation != ISOLATING:
        return
    if model._supports_sdpa and model._supports_attention_backend:
        return
    plain = "sdpa" if model._supports_sdpa else "eager"
    if not _agrees(model, plain):
        model.set_attn_implementation(plain)
        log.info("%s computes its own attention: %s", type(model).__name__, plain)


def _agrees(model: Any, plain: str) -> bool:
    """Whether the outputs under "luciola" are those under `plain`; leaves "luciola" on."""
    was_training = model.training
    model.eval()
    try:
        mine = _outputs(model)
        model.set_attn_implementation(plain)
        theirs = _outputs(model)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
        log.debug("no answer under this attention: %s", error)
        return False
    finally:
        model.set_attn_implementation(ISOLATING)
        model.train(was_training)
    distance = float((mine - theirs).norm() / theirs.norm().clamp_min(1e-12))
    return distance <= TOLERANCE.get(model.dtype, TOLERANCE_HALF)


@torch.no_grad()
def _outputs(model: Any) -> torch.Tensor:
    """(2, T, V) float32; two rows, so that the shorter one's padding is masked too."""
    embeddings = model.get_input_embeddings()
    ids = torch.tensor([PROBE, PROBE[::-1]], device=embeddings.weight.device)
    mask = torch.ones_like(ids)
    mask[1, -5:] = 0
    out = model(input_ids=ids % model.config.get_text_config().vocab_size, attention_mask=mask)
    logits: torch.Tensor = out.logits.float()
    return logits[mask.bool()]
