"""What every family must do: load, keep rows apart, train in full and by LoRA, save, merge, answer.

Each stage raises where the family does not do it; `examine` gives the first that failed.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from families import tiny_models
from luciola.config.training import LoraConfig
from luciola.data.rows import packed_rows, padded_rows
from luciola.models.adapters import attach_lora, merged
from luciola.models.attention import NAME
from luciola.models.batch import Batch, logits_of
from luciola.models.load import load_model
from luciola.models.probe import isolates
from luciola.models.roles import Policy
from luciola.models.save import save_model
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sampling, Tokens
from support import VOCABULARY, build_tokenizer

log = logging.getLogger(__name__)

STAGES = ("build", "load", "padding", "full", "lora", "merge", "generate")
LENGTHS = (24, 17, 9)
NEW_TOKENS = 6


@dataclass
class Outcome:
    """What a family did.

    Args:
        failed: the first stage that failed; "" for none.
        reason: what it said.
        attention: the attention it was given when it was asked to isolate examples.
        packed, tree: whether the probe lets it train on such rows.
    """

    failed: str = ""
    reason: str = ""
    attention: str = ""
    packed: bool = False
    tree: bool = False
    seconds: dict[str, float] = field(default_factory=dict)


def examples() -> list[Tokens]:
    """Random ids, trained from the second token on."""
    random = np.random.default_rng(5)
    made = []
    for length in LENGTHS:
        ids = random.integers(3, VOCABULARY, length).astype(np.int32)
        trained = np.ones(length, bool)
        trained[0] = False
        made.append(Tokens(ids, trained))
    return made


def outputs(model: Any) -> Tensor:
    """(N, V) logits of every example, each alone."""
    model.eval()
    with torch.no_grad():
        rows = [padded_rows([e], 10**6)[0] for e in examples()]
        return torch.cat([logits_of(model, Batch.of(row, "cpu")) for row in rows])


def check_close(seen: Tensor, wanted: Tensor, what: str, tolerance: float = 1e-4) -> None:
    """Raises: AssertionError unless the relative distance is within the tolerance."""
    distance = float((seen - wanted).norm() / wanted.norm().clamp_min(1e-12))
    assert distance <= tolerance, f"{what}: off by {distance:.1e}"


def check_padding(model: Any, alone: Tensor) -> None:
    """One padded row of all examples gives what each gives alone, whatever the padding holds."""
    row = padded_rows(examples(), 10**6)[0]
    batch = Batch.of(row, "cpu")
    model.eval()
    with torch.no_grad():
        seen = logits_of(model, batch)
    counts = [len(e.ids) - 1 for e in examples()]
    parts = dict(zip(row.examples, seen.split([counts[i] for i in row.examples]), strict=True))
    check_close(torch.cat([parts[i] for i in range(len(counts))]), alone, "padded")


def check_causal(model: Any) -> None:
    """What is predicted does not move when a later token changes."""
    ids = torch.tensor(examples()[0].ids[None].astype(np.int64))
    changed = ids.clone()
    changed[0, -1] = (changed[0, -1] + 7) % VOCABULARY
    with torch.no_grad():
        a = model(input_ids=ids, use_cache=False).logits[:, :-1]
        b = model(input_ids=changed, use_cache=False).logits[:, :-1]
    check_close(a, b, "a later token is seen", 1e-5)


def train(model: Any, kind: str, steps: int = 3) -> list[float]:
    """Losses of a few optimizer steps on the same examples."""
    model.train()
    policy = Policy(model)
    rows = (packed_rows if kind == "packed" else padded_rows)(examples(), 10**6)
    trained = [p for p in policy.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    losses = []
    for _ in range(steps):
        total = 0.0
        for batch in (Batch.of(row, "cpu") for row in rows):
            loss = -policy(batch).logprobs.sum()
            loss.backward()
            total += float(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    return losses


def check_learns(losses: list[float]) -> None:
    """Raises: AssertionError unless the loss is finite and falls."""
    assert all(math.isfinite(loss) for loss in losses), f"losses {losses}"
    assert losses[-1] < losses[0], f"the loss does not fall: {losses}"


def check_generation(model: Any) -> None:
    """Greedy answers to prompts of two lengths are those of transformers to each alone."""
    prompts = [e.ids[:length].tolist() for e, length in zip(examples(), (11, 7, 11), strict=False)]
    sampler = NaiveSampler(model, end_ids=())
    sampling = Sampling(temperature=0.0, max_new_tokens=NEW_TOKENS)
    seen = sampler.sample([Request(tuple(p), 1, sampling, 0) for p in prompts])
    for prompt, sample in zip(prompts, seen, strict=True):
        model.generation_config.forced_eos_token_id = None  # else the last token is set
        model.generation_config.forced_bos_token_id = None
        wanted = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert list(sample.ids) == wanted[0, len(prompt) :].tolist(), "greedy answers differ"


@contextmanager
def stage(outcome: Outcome, name: str) -> Iterator[None]:
    """Records the stage where something was raised, and goes no further."""
    start = time.perf_counter()
    try:
        yield
    except Exception as error:
        outcome.failed = name
        outcome.reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise StopError from error
    finally:
        outcome.seconds[name] = time.perf_counter() - start


class StopError(Exception):
    """A stage failed."""


def examine(family: str, folder: Path) -> Outcome:
    """Take a family through all stages."""
    outcome = Outcome()
    try:
        _examine(family, folder, outcome)
    except StopError as stopped:
        log.debug("%s", family, exc_info=stopped.__cause__)
    return outcome


def _examine(family: str, folder: Path, outcome: Outcome) -> None:
    whole, trained, adapter, together = (folder / n for n in ("whole", "trained", "lora", "merged"))
    tokenizer = build_tokenizer()
    with stage(outcome, "build"):
        model = tiny_models.build(family)
        wanted = outputs(model)
        assert torch.isfinite(wanted).all(), "its outputs are not finite"
        model.save_pretrained(str(whole))
        tokenizer.save_pretrained(str(whole))
    with stage(outcome, "load"):
        model = load_model(whole, attention=NAME)
        check_close(outputs(model), wanted, "loaded")
        outcome.attention = model.config._attn_implementation
        check_causal(model)
    with stage(outcome, "padding"):
        check_padding(model, wanted)
        outcome.packed = isolates(model, "packed", vocabulary=VOCABULARY)
        outcome.tree = isolates(model, "tree", vocabulary=VOCABULARY)
    kind = "packed" if outcome.packed else "padded"
    with stage(outcome, "generate"):
        check_generation(model)
    with stage(outcome, "full"):
        model.requires_grad_(True)
        check_learns(train(model, kind))
        save_model(model, tokenizer, trained, name=str(whole))
        check_close(outputs(load_model(trained, attention=NAME)), outputs(model), "saved")
    with stage(outcome, "lora"):
        model = attach_lora(load_model(whole, attention=NAME), LoraConfig(r=4), run_seed=0)
        check_close(outputs(model), wanted, "adapter at the start", 1e-6)
        check_learns(train(model, kind))
        learned = outputs(model)
        save_model(model, tokenizer, adapter, name=str(whole))
        model = load_model(adapter, attention=NAME)
        check_close(outputs(model), learned, "saved adapter")
        with model.disable_adapter():
            check_close(outputs(model), wanted, "adapter off", 1e-6)
    with stage(outcome, "merge"):
        model = merged(model)
        check_close(outputs(model), learned, "merged")
        save_model(model, tokenizer, together, name=str(whole))
        check_close(outputs(load_model(together, attention=NAME)), learned, "merged and saved")
