"""The models of a study: who they are, how much they read, and how they are opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from luciola.config.study import StudyConfig, StudyModel
from luciola.errors import LuciolaError
from luciola.http.address import shown
from luciola.specialist.study import digest
from luciola.sql.asking.address import key_from, place_of
from luciola.sql.asking.costs import Prices
from luciola.sql.asking.model import LanguageModel
from luciola.sql.dail.organization import Budget

Opener = Callable[[StudyModel, StudyConfig], LanguageModel]
TEMPLATE_ROOM = 64
"""Tokens that a chat template puts around a prompt, at most."""
RAW_STOPS = (";", "\n\n", "/*")
"""What ends the SQL of a model that would write on: the published code stops at the first."""


@dataclass(frozen=True)
class Reach:
    """What is known of a model before it is opened.

    Args:
        budget: of prompt and answer; None where nothing limits them, or nobody can count.
        stop: texts that end an answer.
        prices: of its tokens; None: it costs nothing.
    """

    budget: Budget | None
    stop: tuple[str, ...]
    prices: Prices | None


def reach(model: StudyModel, config: StudyConfig) -> Reach:
    """What is known of a model; a bundled one is fetched if it is missing.

    Raises: ModelError where there is no such model; ConfigError for an unknown tokenizer.
    """
    priced = model.prompt_price or model.answer_price
    return Reach(
        budget=_budget(model, config.max_tokens),
        stop=RAW_STOPS if model.raw else (),
        prices=Prices(model.prompt_price, model.answer_price) if priced else None,
    )


def open_model(model: StudyModel, config: StudyConfig) -> LanguageModel:
    """The model itself, loaded or connected; what it answers is kept in the study's folder.

    Raises: ModelError, ConfigError.
    """
    kept = Path(config.out) / "answers" / f"{file_name(model)}.jsonl"
    if not model.url:
        from luciola.specialist.local import LocalModel

        return LocalModel(
            model.model,
            raw=model.raw,
            device=config.device,
            cache=kept,
            trust_remote_code=model.trust_remote_code,
        )
    from luciola.sql.asking.endpoint import Endpoint

    return Endpoint(
        model.url,
        model.model,
        key_variable=model.key,
        chat=not model.raw,
        concurrency=config.concurrency,
        requests_per_minute=model.requests_per_minute or None,
        tokens_per_minute=model.tokens_per_minute or None,
        cache=kept,
    )


def check_available(model: StudyModel) -> None:
    """Look for what would end a study at this model's turn, without loading its weights.

    A server is not asked: it may be started later. Of a hub's model only the small files are
    fetched.

    Raises: ModelError where there is no such model, or a part of it is missing; ConfigError for an
        address or a key that cannot be meant.
    """
    if model.url:
        place = place_of(model.url, chat=not model.raw)
        key_from(model.key, place)
        return
    from luciola.models.complaints import check_folder
    from luciola.models.load import base_source, load_config, load_tokenizer
    from luciola.specialist.local import check_template

    base, trusted = base_source(model.model), model.trust_remote_code
    if not base.is_local:
        load_config(base, trust_remote_code=trusted)
    elif not base.gguf_file:
        check_folder(base.path)
    tokenizer = load_tokenizer(model.model, trust_remote_code=trusted)
    if not model.raw:
        check_template(tokenizer, model.model)


def file_name(model: StudyModel) -> str:
    """Its label, as a file may be called."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in model.label)


def identity(model: StudyModel) -> str:
    """What tells a model from every other, and from itself after further training.

    Of a model on this machine it is what its files hold, so that a result is found again where the
    folder was moved or copied; of the others their name.

    Raises: ModelError where there is no such model.
    """
    asked = [
        bool(model.raw),
        model.context,
        model.tokenizer,
    ]  # what a prompt and its form depend on
    if model.url:
        return json.dumps([model.url, model.model, *asked])
    from luciola.models.source import resolve

    source = resolve(model.model)
    return json.dumps([digest.of_model(source.path) if source.is_local else model.model, *asked])


def _budget(model: StudyModel, answer: int) -> Budget | None:
    """Tokens that the model has for a prompt and its answer."""
    from luciola.specialist.counting import counter

    counted_by, context, trusted = model.tokenizer, model.context, model.trust_remote_code
    if not model.url:
        folder, own = _folder_and_context(model.model)
        own_code = trusted and Path(folder).is_dir()
        readable = own_code or (Path(folder) / "tokenizer.json").is_file()
        counted_by = counted_by or (folder if readable else "")
        context = min(filter(None, (context, own)), default=0)
    if not counted_by or not context:
        return None
    count = counter(counted_by, trust_remote_code=trusted)
    return Budget(count, context, answer + (0 if model.raw else TEMPLATE_ROOM))


def _folder_and_context(name: str) -> tuple[str, int]:
    """Where a local model is, and its context."""
    from luciola.models.source import resolve

    folder = Path(resolve(name).location)
    return str(folder), _context(folder)


def _context(folder: Path) -> int:
    """As the configuration says, an adapter's of its base model; 0 where it says nothing."""
    config = _read(folder / "config.json")
    if not config:
        return _context_of_base(folder) if (folder / "adapter_config.json").is_file() else 0
    text = config.get("text_config")
    known = {**config, **text} if isinstance(text, Mapping) else config
    context = known.get("max_position_embeddings", 0)
    return context if isinstance(context, int) else 0


def _context_of_base(adapter: Path) -> int:
    from luciola.models.adapter_base import base_of

    base = base_of(adapter)
    return _context(Path(base.location)) if base.is_local else 0


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, LuciolaError):
        return {}
    return found if isinstance(found, Mapping) else {}


def without_keys(config: StudyConfig) -> StudyConfig:
    """The grid to keep: what follows `?` in an address may be a key."""
    models = [replace(model, url=shown(model.url)) for model in config.models]
    return replace(config, models=type(config.models)(models))
