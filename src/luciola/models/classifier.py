"""A causal language model turned into one that gives a whole answer one number.

The language model's body stays; its output head gives way to a linear layer with one output, read
at the answer's last token. In memory and on disk it is transformers' own sequence classifier with
`num_labels` 1, so that others can load it.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from luciola.errors import ModelError
from luciola.models.batch import Batch, logits_of
from luciola.models.load import base_source, load_config, load_model
from luciola.models.precision import Autocast, computing
from luciola.models.quiet import quiet
from luciola.models.source import Source, resolve
from luciola.seeds import seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HEAD = "score"
CLASSIFIER = "ForSequenceClassification"


class HiddenStates(nn.Module):
    """A classifier's body, called as a causal language model is: its "logits" are the last hidden
    states.

    Args:
        model: a sequence classifier of transformers, bare or inside peft.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @property
    def config(self) -> Any:
        return self.model.config

    def forward(self, *, logits_to_keep: Tensor, **inputs: Any) -> SimpleNamespace:
        """(B, K, H) hidden states after the final norm, at the columns `logits_to_keep`."""
        inside = whole_classifier(self.model)
        states = getattr(inside, inside.base_model_prefix)(**inputs).last_hidden_state
        return SimpleNamespace(logits=states[:, logits_to_keep])


class RewardModel(nn.Module):
    """A scalar score per position of a batch; the run's one module.

    Args:
        model: a sequence classifier with one label, bare or inside peft.
        autocast: compute in half precision where that is safe; the head is always float32.
    """

    def __init__(self, model: nn.Module, *, autocast: Autocast = False) -> None:
        super().__init__()
        self.model = model
        self.autocast = autocast

    def forward(self, batch: Batch) -> Tensor:
        """(N,) float32 raw scores at the batch's rows and columns (see `data.grouping.ends`)."""
        kind = batch.ids.device.type
        with computing(batch.ids.device, self.autocast):
            states = logits_of(HiddenStates(self.model), batch)
        with torch.autocast(kind, enabled=False):
            return whole_classifier(self.model).score(states.float())[:, 0]


def whole_classifier(model: Any) -> Any:
    """The classifier itself, out of peft."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def is_classifier(model: str | Source, *, trust_remote_code: bool = False) -> bool:
    """Whether a model's folder holds a sequence classifier already."""
    source = model if isinstance(model, Source) else resolve(model)
    if source.gguf_file:
        return False
    config = load_config(source, trust_remote_code=trust_remote_code)
    brought = (getattr(config, "auto_map", None) or {}).get("AutoModelForSequenceClassification")
    own = str(brought).rpartition(".")[2]  # whatever a model's own code calls it
    return any(name.endswith(CLASSIFIER) or name == own for name in config.architectures or [])


def load_classifier(
    model: str,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
    attention: str,
    run_seed: int = 0,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """The base model (without any adapter) with a float32 head for one score.

    A language model gets a fresh head from N(0, 1 / √(d + 1)) (Stiennon et al. 2020, appendix B.1,
    https://arxiv.org/abs/2009.01325); a classifier with one label keeps its own.

    Raises: ModelError where there is no such model, or no classifier of its kind.
    """
    source = base_source(model)
    if is_classifier(source, trust_remote_code=trust_remote_code):
        classifier = _load_whole(source, dtype, attention, trust_remote_code)
    else:
        classifier = _converted(source, dtype, attention, run_seed, trust_remote_code)
    classifier.score.float()
    return classifier.to(device).eval()


def _load_whole(source: Source, dtype: torch.dtype, attention: str, trusted: bool) -> Any:
    from transformers import AutoModelForSequenceClassification

    from luciola.models.attention import register

    register()
    with quiet():
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            source.location,
            dtype=dtype,
            attn_implementation=attention,
            local_files_only=source.is_local,
            trust_remote_code=trusted,
        )
    labels = loaded.config.num_labels
    if labels != 1 or not isinstance(getattr(loaded, HEAD, None), nn.Linear):
        raise ModelError(
            f"{source.location} is a classifier with {labels} labels, not a reward model",
            remedy="Give one with a single output at the last token, or a causal language model.",
        )
    return loaded


def _converted(
    source: Source, dtype: torch.dtype, attention: str, run_seed: int, trusted: bool
) -> Any:
    """A language model's body under a fresh head."""
    from transformers import AutoModelForSequenceClassification

    language: Any = load_model(source, dtype=dtype, attention=attention, trust_remote_code=trusted)
    config = language.config
    config.num_labels = 1
    try:
        with torch.device("meta"):
            classifier: Any = AutoModelForSequenceClassification.from_config(
                config, trust_remote_code=trusted
            )
    except ValueError as error:
        raise ModelError(
            f"transformers has no sequence classifier for {type(language).__name__}",
            remedy="Take another base model for the reward model.",
        ) from error
    prefix = classifier.base_model_prefix
    setattr(classifier, prefix, getattr(language, language.base_model_prefix))
    classifier.config.architectures = [type(classifier).__name__]
    classifier.name_or_path = language.name_or_path
    classifier.score = fresh_head(config.get_text_config().hidden_size, run_seed)
    return classifier


def fresh_head(width: int, run_seed: int) -> nn.Linear:
    """(1, H) float32 weights from N(0, 1 / √(H + 1)), no bias; they follow from the run's seed."""
    head = nn.Linear(width, 1, bias=False)
    torch.manual_seed(seed(run_seed, "score head"))
    nn.init.normal_(head.weight, std=1 / math.sqrt(width + 1))
    return head


def choose_pad(model: Any, tokenizer: PreTrainedTokenizerBase, ends: set[int]) -> None:
    """Give model and tokenizer a pad token that no answer ends with.

    transformers' own classifiers read the score at the last token that is no padding: where the end
    token is the pad token, that is the one before it. Where no special token is left there is none,
    and others can score one answer at a time only.
    """
    special = [tokenizer.pad_token_id, tokenizer.unk_token_id, *tokenizer.all_special_ids]
    free = [id for id in special if id is not None and id not in ends]
    pad = free[0] if free else None
    whole_classifier(model).config.get_text_config().pad_token_id = pad
    if pad is not None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad)
