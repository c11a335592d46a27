"""A model made ready to chat: with an adapter on top, in four bits, or with the heads of ILQL."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luciola.chat.model import ChatModel
from luciola.chat.settings import ChatSettings, with_values
from luciola.errors import ConfigError, ModelError
from luciola.models.adapter_base import is_base, recorded_base
from luciola.models.answering import best_device, load_for_answers
from luciola.models.load import load_tokenizer
from luciola.models.source import ADAPTER, Source, resolve

log = logging.getLogger(__name__)

OWN = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
"""Settings that a model's generation_config.json may recommend."""
WITHOUT_GPU = "Leave --four-bit out: on a CPU the model is loaded in 16 or 32 bits."


@dataclass(frozen=True)
class Wanted:
    """What is to be loaded.

    Args:
        model: bundled name, folder (of a model, an adapter or a run), GGUF file, or hub id.
        adapter: folder of an adapter to put on it.
        four_bit: load the weights as NF4; needs bitsandbytes and a GPU.
        device: auto, cpu or cuda.
        template: Jinja file in the place of the tokenizer's chat template.
        plain: continue texts instead of answering turns.
        trust_remote_code: run Python code that comes with the model.
    """

    model: str
    adapter: str = ""
    four_bit: bool = False
    device: str = "auto"
    template: str = ""
    plain: bool = False
    trust_remote_code: bool = False


def load_chat(wanted: Wanted) -> tuple[ChatModel, ChatSettings]:
    """The model, and the settings that it comes with.

    Raises: ModelError, ConfigError or MissingExtraError saying what is missing.
    """
    from luciola.models.q_heads import has_heads
    from luciola.models.quantization import check_possible, load_quantised

    device = best_device(wanted.device)
    if wanted.four_bit:
        check_possible("--four-bit", device.type, remedy=WITHOUT_GPU)
    adapter = adapter_source(wanted.adapter) if wanted.adapter else None
    source = resolve(wanted.model)
    is_other = adapter is not None and tell_other_base(adapter, source)
    if source.is_local and not wanted.adapter and has_heads(source.path):
        return _with_heads(wanted, source)
    model: Any
    options: dict[str, Any] = {
        "adapter": adapter.path if adapter else None,
        "trust_remote_code": wanted.trust_remote_code,
    }
    if wanted.four_bit:
        model = load_quantised(source, "nf4", device, **options)
    else:
        model = load_for_answers(source, device, **options)
    tokenizer = _tokenizer(source, adapter, wanted.trust_remote_code)
    if is_other:
        check_vocabulary(tokenizer, model, wanted)
    plain = wanted.plain or _lacks_template(tokenizer, wanted)
    chat = ChatModel(model, tokenizer, template=wanted.template, plain=plain)
    return chat, recommended(model)


def recommended(model: Any) -> ChatSettings:
    """The defaults, with what the model's own generation settings say on top."""
    config = getattr(model, "generation_config", None)
    if config is None or not getattr(config, "do_sample", False):
        return ChatSettings()
    found = {name: getattr(config, name, None) for name in OWN}
    return with_values(ChatSettings(), {n: v for n, v in found.items() if v is not None})


def adapter_source(adapter: str) -> Source:
    """Where an adapter is. Raises: ModelError if the folder holds none."""
    path = Path(adapter).expanduser()
    if not path.is_dir():
        raise ModelError(
            f"there is no adapter {adapter!r}: no such folder",
            remedy=f"Give the folder with {ADAPTER} in it, or a run's folder.",
        )
    for folder in (path, path / "model"):
        if (folder / ADAPTER).is_file():
            return Source(str(folder), None, "folder")
    raise ModelError(
        f"{adapter} is not an adapter: it has no {ADAPTER}",
        remedy="A whole model is given as MODEL, without --adapter.",
    )


def tell_other_base(adapter: Source, source: Source) -> bool:
    """A notice where an adapter was trained on a model of another name; returns whether it was."""
    if is_base(adapter.path, source):
        return False
    log.warning(
        "the adapter in %s was trained on %s, and is put on %s",
        adapter.path,
        recorded_base(adapter.path) or "a model that it does not name",
        source.location,
    )
    return True


def check_vocabulary(tokenizer: Any, model: Any, wanted: Wanted) -> None:
    """Raises: ModelError where an adapter's tokenizer has tokens that another base lacks."""
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelError(
            f"the adapter in {wanted.adapter} was trained with {len(tokenizer):,} tokens, and "
            f"{wanted.model} knows {rows:,}",
            remedy="Give the base that the adapter was trained on.",
        )


def _tokenizer(source: Source, adapter: Source | None, trusted: bool) -> Any:
    """The adapter's own where it was saved with one: its template is the one it was trained on."""
    from luciola.models.load import TOKENIZER_FILES

    own = adapter is not None and any((adapter.path / name).is_file() for name in TOKENIZER_FILES)
    return load_tokenizer(adapter if adapter and own else source, trust_remote_code=trusted)


def _lacks_template(tokenizer: Any, wanted: Wanted) -> bool:
    if tokenizer.chat_template or wanted.template:
        return False
    log.warning(
        "%s has no chat template: it continues what you write, and remembers nothing. "
        "Name a template with --template FILE.jinja to talk in turns.",
        wanted.model,
    )
    return True


def _with_heads(wanted: Wanted, source: Source) -> tuple[ChatModel, ChatSettings]:
    """A model that was trained with ILQL, and how it answers by its card."""
    from luciola.rollout.ilql import IlqlModel

    if wanted.four_bit:
        raise ConfigError(
            f"{wanted.model} was trained with ILQL, whose heads need whole weights, not four bits",
            remedy="Leave --four-bit out.",
        )
    trusted = wanted.trust_remote_code
    loaded = IlqlModel.load(source.path, wanted.device, trust_remote_code=trusted)
    card = loaded.card
    chat = ChatModel(
        loaded.model,
        loaded.tokenizer,
        template=wanted.template,
        plain=wanted.plain or not card.chat,
        heads=loaded.heads,
        system=card.system,
    )
    own = ("beta", "top_k", "temperature", "max_new_tokens")
    values = {name: getattr(card, name) for name in own}
    return chat, with_values(ChatSettings(top_p=1.0), values)
