"""Any text classifier of transformers as a reward: the log-odds of one of its labels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from luciola.errors import ConfigError, LuciolaError, ModelError
from luciola.models import hub
from luciola.models.complaints import unasked_code
from luciola.models.quiet import quiet
from luciola.models.source import Source, resolve
from luciola.types import Answered

if TYPE_CHECKING:
    from torch import Tensor, device

log = logging.getLogger(__name__)

LONGEST = 4096
"""Tokens read at most, where neither the model nor its tokenizer knows a limit."""
BATCH_TOKENS = 8192
"""Tokens per forward pass, padding included."""


class ClassifierPart:
    """log p(label) - log(1 - p(label)) in nats; of a model with a single output, that output.

    It reads the prompt with the answer behind it. A conversation is rendered with the chat template
    of the classifier's tokenizer; without one the answer follows the prompt on a line of its own.
    What is too long loses its beginning, with a notice.

    Args:
        model: a sequence classifier on its device, float32.
        tokenizer: its own.
        label: index of the label.
    """

    waits = False

    def __init__(self, model: Any, tokenizer: Any, label: int) -> None:
        self.model, self.tokenizer, self.label = model.eval(), tokenizer, label
        tokenizer.truncation_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        limit = getattr(model.config.get_text_config(), "max_position_embeddings", LONGEST)
        self.longest = min(limit or LONGEST, tokenizer.model_max_length, LONGEST)
        self._has_noticed = False

    @classmethod
    def load(
        cls,
        name: str,
        label: str = "",
        *,
        device: str | device = "cpu",
        trust_remote_code: bool = False,
    ) -> ClassifierPart:
        """The classifier of a folder or hub id.

        Args:
            label: its name or number; empty: the last of two (positive), or the only output.
            trust_remote_code: run Python code that comes with it.

        Raises: ModelError if there is no such classifier, ConfigError for a label it lacks.
        """
        source = resolve(name)
        tokenizer, model = _load(source, trust_remote_code)
        return cls(model.to(device), tokenizer, label_index(model.config.id2label, label, name))

    def raw(self, answered: Sequence[Answered]) -> list[float]:
        """One score per answer."""
        import torch

        from luciola.models.kernels import unplanned

        texts = [self.text(one) for one in answered]
        ids = self.tokenizer(texts, verbose=False)["input_ids"]
        lengths = [min(len(row), self.longest) for row in ids]
        self._notice(sum(len(row) > self.longest for row in ids), len(ids))
        scores = [0.0] * len(texts)
        for members in batches(lengths):
            with torch.no_grad(), unplanned():
                logits = self._logits([texts[i] for i in members])
            for index, value in zip(members, log_odds(logits, self.label).tolist(), strict=True):
                scores[index] = value
        return scores

    def text(self, one: Answered) -> str:
        """What the classifier reads of a sample."""
        if not one.messages:
            return one.prompt + one.answer
        if not self.tokenizer.chat_template:
            return f"{one.prompt}\n{one.answer}"
        turns = [{"role": turn.role, "content": turn.content} for turn in one.messages]
        turns.append({"role": "assistant", "content": one.answer})
        rendered: str = self.tokenizer.apply_chat_template(turns, tokenize=False)
        return rendered.removeprefix(self.tokenizer.bos_token) if self._puts_bos() else rendered

    def _puts_bos(self) -> bool:
        """The tokenizer puts its begin token in front of every text by itself."""
        first = self.tokenizer("x")["input_ids"][0]
        return first == self.tokenizer.bos_token_id

    def _logits(self, texts: list[str]) -> Tensor:
        """(B, labels) float32; a decoder's head is read at the last token that is no padding."""
        import torch

        inputs = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=self.longest,
        ).to(self.model.device)
        head = getattr(self.model, "score", None)
        if head is None:
            return self.model(**inputs).logits.float()
        # transformers looks for the pad token to find the end, which may be the end token itself.
        body = getattr(self.model, self.model.base_model_prefix)
        states = body(**inputs, use_cache=False).last_hidden_state
        ends = inputs["attention_mask"].sum(1) - 1
        return head(states[torch.arange(len(ends), device=states.device), ends]).float()

    def _notice(self, num_cut: int, num_all: int) -> None:
        if num_cut and not self._has_noticed:
            self._has_noticed = True
            log.warning(
                "the classifier reads %d tokens: %d of %d samples lost their beginning "
                "(said once)", self.longest, num_cut, num_all,
            )  # fmt: skip


def log_odds(logits: Tensor, label: int) -> Tensor:
    """(B,) z_label - logsumexp of the others: log p / (1 - p) under a softmax, in nats.

    Args:
        logits: (B, labels); of a single label the logit itself is the score.
    """
    import torch

    if logits.shape[1] == 1:
        return logits[:, 0]
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)
    return logits[:, label] - others.logsumexp(1)


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices by length, as many at a time as BATCH_TOKENS hold with their padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * lengths[index] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def label_index(names: dict[int, str], label: str, source: str) -> int:
    """Which output a label is. Raises: ConfigError if there is none, or it is left open."""
    listed = ", ".join(names.values())
    if not label and len(names) <= 2:
        return max(names)
    found = [i for i, name in names.items() if label.lower() in (name.lower(), str(i))]
    if found:
        return found[0]
    lacks = f"has no label {label!r}" if label else f"has {len(names)} labels"
    raise ConfigError(
        f"reward: the classifier {source} {lacks}",
        remedy=f"Write classifier:{source}#LABEL with one of {listed}.",
    )


def _load(source: Source, trusted: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    offline = source.is_local or not hub.is_reachable(source.location)
    reading = {"local_files_only": offline, "trust_remote_code": trusted}
    try:
        with quiet(downloads=True):
            tokenizer = AutoTokenizer.from_pretrained(source.location, **reading)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                source.location, output_loading_info=True, **reading
            )
    except LuciolaError:
        raise
    except Exception as error:  # the readers raise bare Exceptions too
        if not source.is_local and offline:
            raise hub.not_in_cache(source.location) from error
        if "trust_remote_code" in str(error):
            raise unasked_code(source) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise ModelError(
            f"{source.location} cannot be loaded as a text classifier ({reason})",
            remedy="Give the folder or hub id of a sequence classifier with its tokenizer.",
        ) from error
    if info["missing_keys"]:
        raise ModelError(
            f"{source.location} is no text classifier: it lacks {min(info['missing_keys'])}, which "
            "would be random",
            remedy="Give a classifier, or model:FOLDER for one of luciola train reward.",
        )
    return tokenizer, model
