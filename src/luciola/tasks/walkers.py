"""The models of the random walks: a GPT-2 of 1.5 million parameters over letters.

Made once, on the machine that needs them, and kept with the bundled models. The untrained one is
where ILQL begins; the cloned one has seen the walks, and is where PPO begins.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.models.catalogue import home
from luciola.runs.atomic import storage_errors

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever a model would come out differently, so that an old one is not taken for it."""
LETTERS = "abcdefghijklmnopqrstu"
SEPARATOR, END = "|", "</s>"
LAYERS, WIDTH, HEADS, CONTEXT = 6, 144, 12, 64
EPOCHS, BATCH, LR = 10, 100, 1e-3


def untrained_model() -> Path:
    """The folder of the model with random weights."""
    return _made("untrained", lambda folder: _save(_random_model(), folder))


def cloned_model() -> Path:
    """The folder of the model that imitates the walks; making it takes seconds."""
    return _made("cloned", _clone)


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """One token per letter; whatever else stands in a text is the separator."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = [*LETTERS, SEPARATOR, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    letters = Tokenizer(models.WordLevel(vocabulary, unk_token=SEPARATOR))
    letters.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    letters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=letters, eos_token=END, bos_token=END, unk_token=SEPARATOR
    )


def _made(kind: str, make: Callable[[Path], None]) -> Path:
    """The folder of a kind of model, made if it is missing; whole or not at all.

    Of several processes that make it at once, the first one's stays; all make the same.
    """
    folder = home() / "models" / f"randomwalks-{kind}-v{VERSION}"
    if folder.is_dir():
        return folder
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            make(staging)
            staging.chmod(0o755)
            _move(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return folder


def _move(staging: Path, folder: Path) -> None:
    try:
        staging.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise  # else another process was faster


def _random_model() -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        n_positions=CONTEXT,
        vocab_size=len(LETTERS) + 2,
        bos_token_id=len(LETTERS) + 1,
        eos_token_id=len(LETTERS) + 1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GPT2LMHeadModel(config)


def _save(model: Any, folder: Path) -> None:
    from luciola.models.quiet import quiet

    with quiet():
        model.save_pretrained(str(folder))
        letter_tokenizer().save_pretrained(str(folder))
    readable = (folder / "config.json").stat().st_mode
    (folder / "model.safetensors").chmod(readable)  # safetensors writes for the owner alone


def _clone(folder: Path) -> None:
    from luciola.tasks.randomwalks import graph

    log.warning("cloning the random walks once (a few seconds) into %s", folder.parent)
    model = _random_model()
    imitate(model, graph().walks, epochs=EPOCHS)
    _save(model, folder)


def imitate(model: Any, walks: Sequence[str], *, epochs: int) -> float:
    """Next-letter training on whole walks with AdamW; returns the last batch's loss in nats.

    A loop of its own and not a run: a run may be waiting for this model.
    """
    import torch
    import torch.nn.functional as F

    end, longest = len(LETTERS) + 1, max(map(len, walks)) + 1
    rows = [[*map(LETTERS.index, walk), end] for walk in walks]
    ids = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
    labels = ids.masked_fill(torch.arange(longest) >= torch.tensor([[len(r)] for r in rows]), -100)
    order = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of the dropout
        model.train()
        loss = torch.zeros(())
        for _ in range(epochs):
            for batch in torch.randperm(len(rows), generator=order).split(BATCH):
                logits = model(ids[batch]).logits[:, :-1]
                loss = F.cross_entropy(logits.flatten(0, 1), labels[batch, 1:].flatten())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    model.eval()
    return loss.item()
