"""A reward model trained with `luciola train reward` as a reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.types import Answered

if TYPE_CHECKING:
    import torch

    from luciola.models.scorer import Scorer


@dataclass(frozen=True)
class ModelPart:
    """The score of a trained reward model, normalised as its card says."""

    scorer: Scorer
    waits = False

    @classmethod
    def load(
        cls, folder: Path, *, device: str | torch.device, trust_remote_code: bool = False
    ) -> ModelPart:
        """From a run's folder or the model's own. Raises: ModelError if there is none."""
        from luciola.models.scorer import Scorer

        return cls(Scorer.load(folder, device, trust_remote_code=trust_remote_code))

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """As `luciola score` gives them; a conversation is read whole."""
        prompts = [one.messages or one.prompt for one in answered]
        return self.scorer.score(prompts, [one.answer for one in answered])
