"""What goes wrong in online training, seen early and said with its cause and remedy."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from luciola.errors import TrainingError

log = logging.getLogger(__name__)

EXACT, ROUNDED = 1e-3, 0.05
"""How far KL (nats) and ratio may be from 0 and 1 before anything was learned: fp32, bf16."""
REPEAT = 25
"""Iterations before the same warning is said again."""


def check_start(kl: float, *, rounded: bool) -> None:
    """Before anything is learned, policy and reference are one.

    Args:
        kl: mean size of log π − log π_ref a token, in nats.
        rounded: the run computes in bfloat16.

    Raises: TrainingError if they differ.
    """
    if kl > (ROUNDED if rounded else EXACT):
        raise TrainingError(
            f"policy and reference differ by {kl:.3g} nats a token before the first update; "
            "they should be the same",
            remedy="If the reference is meant to be another model, name it with reference=MODEL; "
            "else the model's forward pass is not repeatable (dropout, or packed rows that see "
            "each other: try packing=padded and precision=fp32).",
        )


def check_first_ratio(ratio: float, *, rounded: bool, from_sampler: bool) -> None:
    """In the first update the policy still is the one that sampled: the mean ratio is 1.

    Raises: TrainingError if it is not.
    """
    if from_sampler or abs(ratio - 1) <= (ROUNDED if rounded else EXACT):
        return
    raise TrainingError(
        f"the first update begins with a mean probability ratio of {ratio:.4g} instead of 1",
        remedy="The forward pass is not repeatable: try packing=padded and precision=fp32.",
    )


@dataclass
class Watch:
    """Warns about an iteration's figures, each kind of warning now and then.

    Args:
        max_new_tokens: of the recipe, for the remedy.
    """

    max_new_tokens: int
    said: dict[str, int] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)

    def look(self, iteration: int, figures: Mapping[str, float]) -> None:
        """Log the warnings that these figures deserve."""
        self.first = self.first or dict(figures)
        for kind, text in self._found(figures).items():
            if iteration - self.said.get(kind, -REPEAT) >= REPEAT:
                self.said[kind] = iteration
                log.warning("iteration %d: %s", iteration + 1, text)

    def _found(self, now: Mapping[str, float]) -> dict[str, str]:
        found = {}
        get = now.get
        if get("objective/kl_signed", 0.0) < -1:
            found["negative kl"] = (
                f"the KL to the reference is {now['objective/kl_signed']:.2f} nats an answer, and "
                "a KL is never negative: answers are sampled from another distribution than the "
                "one scored → leave top-k, top-p and min-p off, and keep temperature as it is"
            )
        if now["score/std"] == 0:
            found["no spread"] = (
                "all answers have the same score, so nothing can be learned → look at the reward, "
                "or sample at a higher temperature"
            )
        if get("answers/cut_off", 0.0) > 0.5 and get("answers/ended", 0.0) > 0:
            found["cut off"] = (
                f"{now['answers/cut_off']:.0%} of the answers were cut off at "
                f"{self.max_new_tokens} tokens → raise max_new_tokens, or set missing_end_penalty"
            )
        if get("answers/ended", 1.0) == 0 and self.first.get("answers/ended") == 0:
            if "never ends" not in self.said:
                found["never ends"] = (
                    f"no answer ends by itself: all are cut off at {self.max_new_tokens} tokens → "
                    "as it should be for texts that are only gone on with (said once); else raise "
                    "max_new_tokens, or begin with a model that was fine-tuned to end"
                )
        elif get("answers/ended", 1.0) == 0:
            found["no end"] = (
                "no answer ends by itself any more → set missing_end_penalty, raise kl_coef"
            )
        if get("objective/kl", 0.0) > 50:
            found["kl"] = (
                f"the KL to the reference is {now['objective/kl']:.0f} nats an answer: the model "
                "may please the reward with nonsense → raise kl_coef, set kl_target or lower lr"
            )
        if get("loss/value", 0.0) > 100 * max(get("score/std", 0.0), 0.1) ** 2:
            found["value"] = (
                f"the value loss is {now['loss/value']:.1f}, far above the scores' variance → "
                "score_scaling=normalize, or score_clip"
            )
        start = self.first.get("policy/entropy", 0.0)
        if start > 0.05 and get("objective/entropy_token", start) < 0.1 * start:
            found["entropy"] = (
                "the policy's entropy has fallen below a tenth of what it was: it gives the same "
                "answers again and again → entropy_coef=0.01, a higher kl_coef, a lower lr"
            )
        before, after = self.first.get("answers/length", 0.0), get("answers/length", 0.0)
        if before and not 0.5 <= after / before <= 2:
            found["length"] = (
                f"answers have gone from {before:.0f} to {after:.0f} tokens → see whether the "
                "reward likes length as such"
            )
        return found
