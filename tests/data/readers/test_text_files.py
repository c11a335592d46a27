"""Text files as editors and spreadsheets save them: byte order marks, UTF-16, rare line ends.

Only a line feed ends a line: U+2028, U+0085 and form feeds are characters of a text.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luciola.compat.firefly.arguments import is_train_args
from luciola.config.load import load
from luciola.config.sft import SftConfig
from luciola.conversation.render import Renderer
from luciola.data.readers import read
from luciola.errors import LuciolaError
from luciola.methods.online.prompts import read_prompts
from luciola.sql.datasets.rows import gold_lines
from support import build_tokenizer

ODD = "a\u2028b\x85c\x0cd"
ROW = json.dumps({"prompt": ODD, "completion": "yes"}, ensure_ascii=False)
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def recipe(path: Path) -> Any:
    return load(SftConfig, path).lora.targets


def text_prompts(path: Path) -> Any:
    renderer = Renderer(build_tokenizer())
    found = read_prompts(str(path), renderer, format="text", longest=99)
    return [prompt.text for prompt in found.usable]


def rows(path: Path) -> Any:
    (example,) = read(str(path)).examples
    return example.prompt  # type: ignore[union-attr]


def template(path: Path) -> Any:
    tokenizer = build_tokenizer()
    Renderer(tokenizer, template=str(path))
    return True


CASES: dict[str, tuple[str, str, Callable[[Path], Any], Any]] = {
    "recipe": ("r.yaml", "model: m\ndata: [d.jsonl]\nlora:\n  targets: [q, v]\n", recipe,
               ("q", "v")),
    "prompts": ("p.txt", f"{ODD}\nsecond\n", text_prompts, [ODD, "second"]),
    "jsonl": ("d.jsonl", f"{ROW}\n", rows, ODD),
    "json": ("d.json", f"[{ROW}]", rows, ODD),
    "csv": ("d.csv", f'prompt,completion\n"{ODD}",yes\n', rows, ODD),
    "template": ("t.jinja", TEMPLATE, template, True),
    "gold": ("g.sql", f"SELECT '{ODD}'\tshop\n", gold_lines, [(f"SELECT '{ODD}'", "shop")]),
    "train_args": ("a.json", json.dumps({"model_name_or_path": "m", "train_file": "d.jsonl",
                   "max_seq_length": 9, "output_dir": "o"}), is_train_args, True),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "marked"])
def test_a_byte_order_mark_is_no_text_and_only_line_feeds_end_lines(
    kind: str, mark: bytes, tmp_path: Path
) -> None:
    name, text, reader, expected = CASES[kind]
    path = tmp_path / name
    path.write_bytes(mark + text.encode())
    assert reader(path) == expected


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind != "train_args"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_told_in_one_sentence(kind: str, encoding: str, tmp_path: Path) -> None:
    name, text, reader, _ = CASES[kind]
    plain = re.sub("[\u2028\x85\x0c]", "", text).replace("second", "zweit\u00e4")
    for before in ("yes", "[q", "}}", "SELECT '"):
        plain = plain.replace(before, f"{before}\u00e4")
    path = tmp_path / name
    path.write_bytes(plain.encode(encoding))
    with pytest.raises(LuciolaError) as caught:
        reader(path)
    assert str(path) in caught.value.message
    assert "UTF-" in str(caught.value)
