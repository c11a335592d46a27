"""Trained models as rewards: one of `luciola train reward`, or any sequence classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luciola.errors import ConfigError, ModelError
from luciola.types import Answered

if TYPE_CHECKING:
    import torch

LONGEST = 1024


class ModelReward:
    """The score of a trained reward model.

    Args:
        folder: of the model, or of the run that trained it.
        device: where it runs.
    """

    name = "model"
    waits = False

    def __init__(self, folder: str, device: str | torch.device) -> None:
        from luciola.models.scorer import Scorer

        self.scorer = Scorer.load(folder, device)

    def scores(self, answered: Sequence[Answered]) -> list[float]:
        """As `luciola score` gives them."""
        prompts = [one.messages or one.prompt for one in answered]
        return self.scorer.score(prompts, [one.answer for one in answered])


class ClassifierReward:
    """The log-odds of one label under a sequence classifier of transformers, in nats.

    It reads prompt and answer as one text, cut at the front where it is too long.

    Args:
        source: folder or hub id.
        label: which label is wanted; empty: the last one.
        device: where it runs.
    """

    name = "classifier"
    waits = False

    def __init__(
        self, source: str, label: str, device: str | torch.device, batch: int = 64
    ) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from luciola.models.quiet import quiet

        try:
            with quiet():
                self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
                model: Any = AutoModelForSequenceClassification.from_pretrained(source)
        except Exception as error:
            first = (
                str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            )
            raise ModelError(
                f"reward: {source} cannot be loaded as a classifier ({first:.160})",
                remedy="Give a folder or hub id of a sequence classifier.",
            ) from error
        self.model = model.to(device).eval()
        self.batch = batch
        self.label = _label(model.config, label, source)
        self.tokenizer.truncation_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        longest = getattr(model.config, "max_position_embeddings", None) or LONGEST
        self.longest = min(longest, LONGEST)

    def scores(self, answered: Sequence[Answered]) -> list[float]:
        """log p(label) - log (1 - p(label)); of a single output the output itself."""
        import torch

        texts = [one.prompt + one.answer for one in answered]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = [0.0] * len(texts)
        for start in range(0, len(order), self.batch):
            members = order[start : start + self.batch]
            inputs = self.tokenizer(
                [texts[i] for i in members], return_tensors="pt", padding=True,
                truncation=True, max_length=self.longest, padding_side="right",
            ).to(self.model.device)  # fmt: skip
            lengths = inputs["attention_mask"].sum(1)
            with torch.no_grad():
                logits = self._logits(inputs, lengths)
            for member, value in zip(members, self._odds(logits).tolist(), strict=True):
                found[member] = value
        return found

    def _logits(self, inputs: Any, lengths: torch.Tensor) -> torch.Tensor:
        """(B, labels) float32; a decoder's head is read at the last real token."""
        import torch

        head = getattr(self.model, "score", None)
        if head is None:
            logits: torch.Tensor = self.model(**inputs).logits
            return logits.float()
        body = getattr(self.model, self.model.base_model_prefix)
        states = body(**inputs, use_cache=False).last_hidden_state
        last = states[torch.arange(len(lengths), device=states.device), lengths - 1]
        read: torch.Tensor = head(last)
        return read.float()

    def _odds(self, logits: torch.Tensor) -> torch.Tensor:
        import torch

        if logits.shape[1] == 1:
            return logits[:, 0]
        others = torch.cat([logits[:, : self.label], logits[:, self.label + 1 :]], 1)
        return logits[:, self.label] - others.logsumexp(1)


def _label(config: Any, label: str, source: str) -> int:
    names = {index: str(name) for index, name in config.id2label.items()}
    if not label:
        return int(max(names))
    found = [
        int(i) for i, name in names.items() if name.lower() == label.lower() or str(i) == label
    ]
    if not found:
        raise ConfigError(
            f"reward: {source} has no label {label!r}",
            remedy=f"Its labels are {', '.join(names.values())}.",
        )
    return found[0]
