"""A recipe's data: read, split, rendered to tokens, counted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from luciola.config.sft import DataSource, SftConfig
from luciola.conversation.render import Renderer, truncate
from luciola.data.cutting import check_cut
from luciola.data.mixture import epoch_order
from luciola.data.packing import join, split_long
from luciola.data.prefixes import shared_prefixes
from luciola.data.readers import read
from luciola.data.split import split
from luciola.data.statistics import Statistics, statistics
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.methods.stream import Rendered, Source
from luciola.types import Example, Text, Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """The order of any epoch: a mixture of sources by weight, shuffled by address.

    Args:
        sizes, weights: examples of each source, and its copies per epoch.
        seed: the run's.
    """

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int

    def __call__(self, epoch: int) -> NDArray[np.int64]:
        """(n,) int64 indices into the joined sources; n is the same in every epoch."""
        return _order(self.sizes, self.weights, self.seed, epoch)


@lru_cache(maxsize=2)
def _order(
    sizes: tuple[int, ...], weights: tuple[float, ...], seed: int, epoch: int
) -> NDArray[np.int64]:
    """Kept, because every step of an epoch asks for it: 45 ms with 100,000 examples."""
    order = epoch_order(sizes, weights, seed=seed, epoch=epoch)
    order.flags.writeable = False
    return order


@dataclass(frozen=True)
class Examples:
    """What a run is trained and evaluated on.

    Args:
        source: the training examples, by index.
        order: which of them each epoch takes.
        held_out: evaluation examples, rendered; empty: none.
        statistics: of the training examples.
        notes: what the reader should know (formats found, examples cut or left out).
        shared_prefixes: examples begin alike often enough for trees to save work.
    """

    source: Source
    order: Order
    held_out: Sequence[Tokens]
    statistics: Statistics
    notes: tuple[str, ...]
    shared_prefixes: bool


def load_examples(config: SftConfig, tokenizer: PreTrainedTokenizerBase) -> Examples:
    """Read and render a recipe's data.

    Raises: DataError naming the file and line of what cannot be used, or if nothing would be
        trained.
    """
    renderer = Renderer(tokenizer, template=config.template, system=config.system)
    notes: list[str] = []
    train: list[Tokens] = []
    held_out: list[Tokens] = []
    sizes: list[int] = []
    all_training: list[Tokens] = []
    fraction = 0.0 if config.eval_data else config.eval_fraction
    for source in config.data:
        examples = _read(source, notes)
        kept, aside = split(examples, fraction, seed=config.seed)
        whole = _render(examples, renderer, config.max_length)
        training = [sample for i in kept for sample in whole[i]]
        all_training += training
        usable = _usable(training, config.max_length)
        sizes.append(len(usable))
        train += usable
        held_out += _usable([s for i in aside for s in whole[i]], config.max_length)
    for source in config.eval_data:
        examples = _read(source, notes)
        whole = _render(examples, renderer, config.max_length)
        held_out += _usable([s for samples in whole for s in samples], config.max_length)
    figures = statistics(all_training, config.max_length)
    if not train:
        raise DataError(
            f"no example has a trained token within max_length={config.max_length}",
            remedy=f"The shortest has {figures.shortest} tokens; raise max_length.",
        )
    check_fit(figures, config.max_cut)
    weights = tuple(source.weight for source in config.data)
    return Examples(
        source=Rendered(train),
        order=Order(tuple(sizes), weights, config.seed),
        held_out=held_out,
        statistics=figures,
        notes=tuple(notes),
        shared_prefixes=saves_work(train),
    )


def check_fit(figures: Statistics, most: float, path: str | None = None) -> None:
    """Raises: DataError where more than the share `most` of the examples is cut."""
    check_cut(
        figures.truncated,
        figures.examples,
        most,
        what="example",
        limit=figures.max_length,
        needed=figures.longest,
        path=path,
    )


def _read(source: DataSource, notes: list[str]) -> Sequence[Example]:
    found = read(source.path)
    notes.append(f"{source.path}: {counted(len(found.examples), 'example')}, {found.format}")
    notes += [f"{source.path}: {each}" for each in found.dropped]
    return found.examples


def _render(examples: Sequence[Example], renderer: Renderer, max_length: int) -> list[list[Tokens]]:
    """Every example as tokens; a long plain text as several, so that nothing of it is lost, and
    so is a conversation whose earlier turns its template rewrites.
    """
    rendered: list[list[Tokens]] = []
    for example in examples:
        parts = renderer.render_all(example)
        tokens = parts[0]
        if isinstance(example, Text) and len(tokens) > max_length:
            pieces = split_long([len(tokens)], max_length)
            rendered.append([join([tokens], [piece]) for piece in pieces if len(piece) > 1])
        else:
            rendered.append(parts)
    return rendered


def _usable(samples: Sequence[Tokens], max_length: int) -> list[Tokens]:
    """Examples cut to length, without those that have nothing trained left."""
    cut = [truncate(sample, max_length)[0] for sample in samples]
    return [sample for sample in cut if sample.trained.any()]


def saves_work(samples: Sequence[Tokens], *, share: float = 0.1, look_at: int = 512) -> bool:
    """Whether computing common prefixes once would save at least `share` of the tokens."""
    looked = list(samples[:look_at])
    tokens = sum(map(len, looked))
    saved = sum(group.prefix_length * (len(group.members) - 1) for group in shared_prefixes(looked))
    return saved > share * tokens
