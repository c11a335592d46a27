"""Settings of a chat: words, ranges, and the way to the sampler."""

from __future__ import annotations

import pytest

from luciola.chat.settings import ChatSettings, changed, listing, seed_of
from luciola.errors import ConfigError
from luciola.types import Sampling


def test_every_setting_of_a_row_reaches_the_sampler() -> None:
    words = [
        "max_new_tokens=7", "temperature=0.5", "top_k=3", "top_p=0.8", "min_p=0.1",
        "typical_p=0.7", "repetition_penalty=1.2", "frequency_penalty=0.3",
        "presence_penalty=-0.4", "no_repeat_ngram=2",
    ]  # fmt: skip
    found = changed(ChatSettings(), words).sampling
    assert found == Sampling(7, 0.5, 3, 0.8, 0.1, 0.7, 1.2, 0.3, -0.4, 2)


def test_later_words_change_what_earlier_ones_left() -> None:
    first = changed(ChatSettings(), ["temperature=0", 'stop=["\\n\\n", "a, b"]'])
    second = changed(first, ["top_k=5"])
    assert (second.temperature, second.top_k, second.stop) == (0.0, 5, ("\n\n", "a, b"))
    assert changed(second, ["stop=x,y"]).stop == ("x", "y")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["temperatur=1"], "Did you mean temperature"),
        (["num_beams=3"], "Did you mean beams"),
        (["top_p=0"], "above 0 and at most 1"),
        (["temperature=-1"], "at least 0"),
        (["beams=two"], "a whole number"),
        (["beams=3", "contrastive_alpha=0.6"], "two searches at once"),
    ],
)
def test_what_is_not_allowed_is_told(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(ChatSettings(), words)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("words", "strategy"),
    [
        ([], "sampling"),
        (["temperature=0"], "greedy"),
        (["beams=4"], "beam search over 4"),
        (["contrastive_alpha=0.6"], "contrastive search among 4"),
    ],
)
def test_the_listing_says_what_differs_and_how_tokens_are_chosen(
    words: list[str], strategy: str
) -> None:
    lines = listing(changed(ChatSettings(), words)).splitlines()
    assert [line[2:] for line in lines if line.startswith("* ")] == words
    assert lines[-1].startswith(f"({strategy}")


def test_answers_have_seeds_of_their_own() -> None:
    settings = ChatSettings(seed=1)
    assert len({seed_of(settings, 0), seed_of(settings, 1), seed_of(ChatSettings(), 0)}) == 3
