"""Whether two models say the same: their logits on real text, and how far rounding may move them.

Everything is computed in float32, so that what is seen is the weights and not the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from luciola.errors import ModelError
from luciola.models.rounding import Step, in_float32

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SENTENCES = (
    "The lighthouse keeper wrote the date, 14 March 1897, and then nothing else for a week.",
    "Wer im Glashaus sitzt, sollte nicht mit Steinen werfen; das gilt auch für Gärtner.",
    "def area(width: float, height: float) -> float:\n    return width * height\n",
    "萤火虫在夏天的夜里发光，孩子们追着它们跑过田野。",
    "SELECT name, COUNT(*) FROM orders WHERE total > 99.5 GROUP BY name ORDER BY 2 DESC;",
)
CHATS = (
    (
        {"role": "user", "content": "Why do fireflies glow?"},
        {"role": "assistant", "content": "To find each other: each species has its own rhythm."},
    ),
    (
        {"role": "user", "content": "What is 17 + 25?"},
        {"role": "assistant", "content": "17 + 25 = 42."},
        {"role": "user", "content": "And minus 2?"},
        {"role": "assistant", "content": "40."},
    ),
)
LONGEST = 128
ALLOWANCE = 3.0
ARITHMETIC = 2e-4


@dataclass(frozen=True)
class Agreement:
    """How close two models' next-token distributions are, over all positions of the probe.

    Args:
        tokens: positions compared.
        kl_mean: KL(before ‖ after), mean over the positions, in nats.
        kl_max: the largest, in nats.
        same_choice: share of positions at which both find the same token most likely.
        distance: root mean square difference of the logits, each position's mean taken out.
        scale: root mean square of the logits before, each position's mean taken out.
    """

    tokens: int
    kl_mean: float
    kl_max: float
    same_choice: float
    distance: float
    scale: float

    def __str__(self) -> str:
        return (
            f"KL {self.kl_mean:.2e} nats (largest {self.kl_max:.2e}), "
            f"same choice at {self.same_choice:.1%} of {self.tokens} tokens"
        )


def probe_rows(tokenizer: PreTrainedTokenizerBase, model: Any) -> list[list[int]]:
    """Token ids of the sentences, and of the chats where the tokenizer has a template for them.

    Raises: ModelError where the tokenizer gives an id that the model has no embedding for.
    """
    settings = model.config.get_text_config()
    longest = min(LONGEST, getattr(settings, "max_position_embeddings", None) or LONGEST)
    texts = [*SENTENCES, *_chat_texts(tokenizer)]
    rows = [list(tokenizer(text, add_special_tokens=True)["input_ids"])[:longest] for text in texts]
    rows = [row for row in rows if len(row) > 1]
    num_rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > num_rows:
        raise ModelError(
            f"the tokenizer knows {len(tokenizer):,} tokens, but the model has embeddings for "
            f"{num_rows:,} only",
            remedy="Take the tokenizer that the model or adapter was trained with; it may have "
            "grown since.",
        )
    return rows


def _chat_texts(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    if not tokenizer.chat_template:
        return []
    try:
        return [str(tokenizer.apply_chat_template(list(c), tokenize=False)) for c in CHATS]
    except Exception:  # a template may refuse anything, and raise whatever it likes
        return []


@torch.no_grad()
def probe_logits(
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    *,
    noise: Mapping[str, Step] | None = None,
) -> Tensor:
    """(N, V) float32 logits at every position of every row, on the CPU.

    Args:
        noise: the roundings to imitate, by parameter; see `rounding.in_float32`.
    """
    device = next(model.parameters()).device
    longest = max(map(len, rows))
    # What stands to the right of a row cannot change it: no model here looks ahead.
    ids = torch.tensor([row + row[:1] * (longest - len(row)) for row in map(list, rows)])
    with in_float32(model, noise):
        logits = model(input_ids=ids.to(device), use_cache=False).logits.cpu()
    return torch.cat([part[: len(row)] for part, row in zip(logits, rows, strict=True)]).float()


def compare(before: Tensor, after: Tensor) -> Agreement:
    """Compare (N, V) logits; a vocabulary that is longer in one of them is cut to the other's."""
    width = min(before.shape[1], after.shape[1])
    before, after = before[:, :width], after[:, :width]
    log_p, log_q = before.log_softmax(-1), after.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).clamp_min(0)
    centred = before - before.mean(-1, keepdim=True)
    moved = (after - after.mean(-1, keepdim=True)) - centred
    return Agreement(
        tokens=len(before),
        kl_mean=float(kl.mean()),
        kl_max=float(kl.max()),
        same_choice=float((before.argmax(-1) == after.argmax(-1)).float().mean()),
        distance=float(moved.square().mean().sqrt()),
        scale=float(centred.square().mean().sqrt()),
    )


@dataclass(frozen=True)
class Probe:
    """What a model said on the probe, to be held against what was written of it.

    Args:
        rows: token ids.
        logits: (N, V) float32 at every position of every row.
    """

    rows: list[list[int]]
    logits: Tensor

    @classmethod
    def of(cls, model: Any, tokenizer: PreTrainedTokenizerBase) -> Probe:
        """Listen to a model.

        Raises: ModelError where the tokenizer gives an id that the model has no embedding for.
        """
        rows = probe_rows(tokenizer, model)
        return cls(rows, probe_logits(model, rows))

    def compared(self, written: Any, noise: Mapping[str, Step]) -> tuple[Agreement, Agreement]:
        """The model against what was written, and that against itself under the noise."""
        after = probe_logits(written, self.rows)
        noisy = probe_logits(written, self.rows, noise=noise)
        return compare(self.logits, after), compare(after, noisy)


def largest_distance(rounding: Agreement) -> float:
    """How far the logits may move: three times as far as noise of a rounding's size moves them,
    and 2e-4 of their own size for sums in another order.

    Args:
        rounding: the same model compared with itself under that noise.
    """
    return ALLOWANCE * rounding.distance + ARITHMETIC * rounding.scale


def told(seen: Agreement, rounding: Agreement) -> str:
    """Two lines for a person: how close two models are, beside what rounding alone would do."""
    return (
        f"before and after: {seen}\n"
        f"logits: moved by {seen.distance:.2g}; "
        f"noise of the rounding's size moves them by {rounding.distance:.2g}"
    )


def check_explained(seen: Agreement, rounding: Agreement, *, what: str, remedy: str) -> None:
    """Raises: ModelError if the logits moved further than rounding explains, or are no numbers."""
    bound = largest_distance(rounding)
    if seen.distance <= bound:  # False for NaN too
        return
    raise ModelError(
        f"{what} does not say what the model said before: its logits moved by "
        f"{seen.distance:.3g} (root mean square; {seen}), and rounding explains {bound:.3g}",
        remedy=remedy,
    )
