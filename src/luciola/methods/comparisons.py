"""A recipe's comparisons: read, split and rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING

from luciola.config.preference import PreferenceConfig
from luciola.config.sft import DataSource
from luciola.conversation.answers import AnswerRenderer, Lengths
from luciola.conversation.render import Renderer
from luciola.data.cutting import check_cut, cut_text
from luciola.data.preferences import read_preferences
from luciola.data.split import split
from luciola.data.summary import counted
from luciola.methods.examples import Order, saves_work
from luciola.types import Completion, Message, Origin, Preference, Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Comparison:
    """A prompt with answers as tokens.

    Args:
        answers: best first, each behind the prompt, which is their common `prefix`.
        margin: how much better the first of a pair is; 0 where that is not known.
    """

    answers: tuple[Tokens, ...]
    margin: float = 0.0

    @property
    def origin(self) -> Origin:
        return self.answers[0].origin


@dataclass(frozen=True)
class Comparisons:
    """What a run is trained and evaluated on.

    Args:
        all: the training comparisons, then those held out.
        num_training: how many are trained on.
        order: which of them each epoch takes.
        notes: what the reader should know.
        shared_prefixes: prompts are long enough for trees to save work.
        is_chat: whether prompts are turns; else plain texts.
    """

    all: Sequence[Comparison]
    num_training: int
    order: Order
    notes: tuple[str, ...]
    shared_prefixes: bool
    is_chat: bool

    @property
    def held_out(self) -> range:
        """Numbers of the comparisons that are held out."""
        return range(self.num_training, len(self.all))

    @cached_property
    def first_answers(self) -> list[int]:
        """The number of each comparison's first answer, and at the end how many there are."""
        return list(accumulate((len(c.answers) for c in self.all), initial=0))


def load_comparisons(
    config: PreferenceConfig, tokenizer: PreTrainedTokenizerBase, *, closed: bool
) -> Comparisons:
    """Read and render a recipe's data.

    Args:
        closed: every answer ends with an end token, also one that was cut.

    Raises: DataError naming file and line of what cannot be used.
    """
    renderer = Renderer(tokenizer, template=config.template, system=config.system)
    lengths = Lengths(config.max_length, config.kept_prompt)
    render = AnswerRenderer(renderer, lengths, closed=closed)
    notes: list[str] = []
    train: list[Preference] = []
    held_out: list[Preference] = []
    sizes: list[int] = []
    fraction = 0.0 if config.eval_data else config.eval_fraction
    for source in config.data:
        found = _read(source, config, notes)
        kept, aside = split([_prompt_only(p) for p in found], fraction, seed=config.seed)
        train += [found[i] for i in kept]
        held_out += [found[i] for i in aside]
        sizes.append(len(kept))
    for source in config.eval_data:
        held_out += _read(source, config, notes)
    rendered = [_rendered(p, render) for p in [*train, *held_out]]
    num_answers = sum(len(comparison.answers) for comparison in rendered)
    check_cut(
        render.num_cut,
        num_answers,
        config.max_cut,
        what="answer",
        limit=config.max_length,
        needed=render.longest,
    )
    training = [answer for c in rendered[: len(train)] for answer in c.answers]
    weights = tuple(source.weight for source in config.data)
    return Comparisons(
        all=rendered,
        num_training=len(train),
        order=Order(tuple(sizes), weights, config.seed),
        notes=(*notes, *_described(rendered, len(train), config, render.num_cut)),
        shared_prefixes=saves_work(training),
        is_chat=any(not isinstance(p.prompt, str) for p in train),
    )


def _read(source: DataSource, config: PreferenceConfig, notes: list[str]) -> list[Preference]:
    found = read_preferences(source.path)
    notes.append(found.text())
    notes += [f"{source.path}: {each}" for each in found.dropped]
    if not config.as_chat:
        return list(found.preferences)
    return [_as_chat(preference) for preference in found.preferences]


def _as_chat(preference: Preference) -> Preference:
    if not isinstance(preference.prompt, str):
        return preference
    return replace(preference, prompt=(Message("user", preference.prompt),))


def _prompt_only(preference: Preference) -> Completion:
    """What `split` looks at: comparisons of answers to one prompt stay on one side."""
    prompt = preference.prompt
    text = (
        prompt if isinstance(prompt, str) else "\n".join(f"{m.role}: {m.content}" for m in prompt)
    )
    return Completion(text, "", preference.origin)


def _rendered(preference: Preference, render: AnswerRenderer) -> Comparison:
    answers = render(preference.prompt, preference.answers, preference.origin)
    return Comparison(answers, preference.margin or 0.0)


def _described(
    rendered: Sequence[Comparison], training: int, config: PreferenceConfig, num_cut: int
) -> list[str]:
    answers = [answer for comparison in rendered for answer in comparison.answers]
    text = (
        f"{counted(len(answers), 'answer')}, {sum(map(len, answers)):,} tokens with their prompts"
    )
    lines = [f"{text}, the longest {max(map(len, answers)):,}"]
    if num_cut:
        what = "answer"
        shown = cut_text(num_cut, len(answers), what, left_out=False, limit=config.max_length)
        lines.append(shown)
    if len(rendered) > training:
        lines.append(f"held out: {counted(len(rendered) - training, 'comparison')}")
    return lines


def fingerprint(data: Comparisons) -> str:
    """A hash of the comparisons, to notice that data changed under a run."""
    digest = blake2b(str(data.num_training).encode(), digest_size=8)
    for comparison in data.all:
        digest.update(f"{len(comparison.answers)} {comparison.margin}".encode())
        for answer in comparison.answers:
            digest.update(answer.ids.tobytes() + answer.trained.tobytes())
    return digest.hexdigest()
