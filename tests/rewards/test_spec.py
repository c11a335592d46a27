"""How a reward is written: a name, a kind, its argument, a weight."""

from __future__ import annotations

import pytest

from luciola.errors import ConfigError
from luciola.rewards.spec import FUNCTION, Spec, parse


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("mine.py:polite", Spec(FUNCTION, "mine.py:polite")),
        ("folder/mine.py:polite@0.5", Spec(FUNCTION, "folder/mine.py:polite", 0.5)),
        ("package.module:name@-1e-2", Spec(FUNCTION, "package.module:name", -0.01)),
        ("judge:polite", Spec(FUNCTION, "judge:polite")),
        ("model:runs/reward@2", Spec("model", "runs/reward", 2.0)),
        ("classifier:owner/name#joy", Spec("classifier", "owner/name#joy")),
        ("short=length:20-60@-1", Spec("length", "20-60", -1.0, "short")),
        ("regex:a=b", Spec("regex", "a=b")),
        ("regex:me@2@1", Spec("regex", "me@2", 1.0)),
        ("regex:me@home", Spec("regex", "me@home")),
        ("has=regex:^a:b$", Spec("regex", "^a:b$", 1.0, "has")),
        (" lexicon ", Spec("lexicon", "")),
        ("lexicon@.5", Spec("lexicon", "", 0.5)),
        ("person:mine.jsonl", Spec("person", "mine.jsonl")),
        ("http://host:8000/score", Spec("http", "http://host:8000/score")),
        ("https://host/score@3", Spec("http", "https://host/score", 3.0)),
        ("http:https://host/score", Spec("http", "https://host/score")),
        ("judge=http:http://host/?a=b", Spec("http", "http://host/?a=b", 1.0, "judge")),
    ],
)
def test_what_is_written_is_taken_apart(text: str, spec: Spec) -> None:
    assert parse(text) == spec


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "'' is no reward"),
        ("polite", r"'polite' is no reward\n.*Write FILE\.py:FUNCTION"),
        ("mine.py", "'mine.py' is no reward"),
        ("modell:runs/reward", r"is no reward\n.*Did you mean model:FOLDER"),
        ("classifer:x", r"Did you mean classifier:"),
        ("lenght:1-2", r"Did you mean length:MIN-MAX"),
        ("model:", r"'model:' lacks what stands behind model:\n.*model:FOLDER"),
        ("regex@2", "lacks what stands behind regex:"),
        ("lexicon@1e999", "is no finite number"),
        ("my rewards:polite", "is no reward"),
    ],
)
def test_what_is_not_understood_says_what_was_meant(text: str, seen: str) -> None:
    with pytest.raises(ConfigError, match=seen):
        parse(text)
