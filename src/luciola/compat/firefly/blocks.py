"""Firefly's pre-training data: texts as one stream, cut into blocks of equal length.

A folder's *.jsonl files hold {"text"}; each file's texts are turned into tokens as the tokenizer
does it by default, joined, and cut every `max_length` tokens. What is left over is dropped, but a
file shorter than one block is kept. Two things differ: Firefly joins 1,000 rows at a time and loses
a rest after each; and what it kept of an earlier run in a cache folder is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luciola.config.sft import DataSource, SftConfig
from luciola.data.packing import blocks
from luciola.data.readers.source import check_exists, rows_of_file
from luciola.data.statistics import statistics
from luciola.errors import DataError
from luciola.methods.examples import Examples, Order
from luciola.methods.stream import Rendered
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_blocks(config: SftConfig, tokenizer: PreTrainedTokenizerBase) -> Examples:
    """A recipe's texts as blocks of max_length tokens, all of them trained.

    Raises: DataError naming the file and line of what cannot be used.
    """
    notes: list[str] = []
    parts = [_blocks(source, config.max_length, tokenizer, notes) for source in config.data]
    train = [block for part in parts for block in part]
    held_out = [
        block
        for source in config.eval_data
        for block in _blocks(source, config.max_length, tokenizer, notes)
    ]
    weights = tuple(source.weight for source in config.data)
    return Examples(
        source=Rendered(train),
        order=Order(tuple(map(len, parts)), weights, config.seed),
        held_out=held_out,
        statistics=statistics(train, config.max_length),
        notes=tuple(notes),
        shared_prefixes=False,
    )


def _blocks(
    source: DataSource, length: int, tokenizer: PreTrainedTokenizerBase, notes: list[str]
) -> list[Tokens]:
    found: list[Tokens] = []
    tokens = 0
    files = text_files(source.path)
    for file in files:
        texts = list(_texts(file, tokenizer))
        tokens += sum(map(len, texts))
        cut = blocks(texts, length, keep_rest=False)
        found += [block for block in cut if len(block) > 1]
    if not found:
        raise DataError("the texts give no block of two tokens", path=source.path)
    left = tokens - sum(map(len, found))
    notes.append(
        f"{source.path}: {len(found):,} blocks of up to {length:,} tokens from {len(files):,} "
        f"file{'s' * (len(files) != 1)}, {left:,} tokens left over"
    )
    return found


def text_files(place: str) -> list[Path]:
    """All *.jsonl files below a folder, by name; a file is itself.

    Raises: DataError if there are none.
    """
    path = check_exists(place)
    if path.is_file():
        return [path]
    files = sorted(path.rglob("*.jsonl"))
    if not files:
        remedy = 'Pre-training reads rows of {"text": "…"} from such files.'
        raise DataError("the folder has no *.jsonl file", path=path, remedy=remedy)
    return files


def _texts(file: Path, tokenizer: PreTrainedTokenizerBase) -> Iterator[Tokens]:
    for record in rows_of_file(str(file)):
        ids = np.array(tokenizer(record.string("text"))["input_ids"], np.int32)
        yield Tokens(ids, np.ones(len(ids), np.bool_), record.origin)
