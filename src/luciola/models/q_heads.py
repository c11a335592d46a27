"""ILQL's heads on a language model: a value, one or two Q values per token, and their targets.

All read the states that enter the output head, and compute in float32. In one module with the
model, so that one forward pass gives everything the loss needs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from luciola.errors import ModelError
from luciola.models.batch import Batch
from luciola.models.head import Head, output_head, read
from luciola.models.precision import Autocast, computing
from luciola.models.token_scores import token_scores
from luciola.runs.atomic import replacing_file, write_atomically
from luciola.seeds import seed

WEIGHTS, CARD = "ilql_heads.safetensors", "ilql.json"


@dataclass(frozen=True)
class Estimates:
    """What the heads say of N states.

    Args:
        qs: one or two (N, V), the value of saying each token next.
        target_qs: the same from the slow copies; without gradient.
        values: (N, 1).
    """

    qs: tuple[Tensor, ...]
    target_qs: tuple[Tensor, ...]
    values: Tensor


@dataclass(frozen=True)
class ActionValues:
    """What the heads say of N states and the action taken in each.

    Args:
        qs: one or two (N,), the value of the action.
        logprobs: as many (N,), log softmax(Q) at the action.
        target_qs: as many (N,), from the slow copies; without gradient.
        values: (N,) of the state.
    """

    qs: tuple[Tensor, ...]
    logprobs: tuple[Tensor, ...]
    target_qs: tuple[Tensor, ...]
    values: Tensor


class QHeads(nn.Module):
    """The heads, each H -> 2H -> ReLU -> outputs.

    Source: Snell et al. 2022, https://arxiv.org/abs/2206.11871, in trlx's form, whose names the
    weights have.
    Args:
        width: H, of the states.
        vocabulary: V, outputs of a Q head.
        two_qs: two Q heads, else one.
    """

    def __init__(self, width: int, vocabulary: int, *, two_qs: bool = True) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.v_head = _head(width, 1)
        self.q_heads = nn.ModuleList(_head(width, vocabulary) for _ in range(1 + two_qs))
        self.target_q_heads = copy.deepcopy(self.q_heads)
        self.target_q_heads.requires_grad_(False)

    def forward(self, states: Tensor) -> Estimates:
        """Of (N, H) states in any float type."""
        states = states.float()
        qs = tuple(head(states) for head in self.q_heads)
        return Estimates(qs, self.targets(states), self.v_head(states))

    def at(self, states: Tensor, actions: Tensor, *, compiled: bool = False) -> ActionValues:
        """Of (N, H) states in any float type, each at the token (N,) that was said next; without
        a table of all tokens.
        """
        states = states.float()
        found = []
        for head in self.q_heads:
            inner, last = _before_last(head, states)
            found.append(token_scores(inner, Head(last, compiled=compiled), actions))
        return ActionValues(
            qs=tuple(one.target_logits for one in found),
            logprobs=tuple(one.logprobs for one in found),
            target_qs=self.targets_at(states, actions),
            values=self.v_head(states)[:, 0],
        )

    @torch.no_grad()
    def targets_at(self, states: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        """(N,) of each slow head at the actions, for (N, H) float32 states."""
        found = []
        for head in self.target_q_heads:
            inner, last = _before_last(head, states)
            found.append((inner * last.weight[actions]).sum(-1) + last.bias[actions])
        return tuple(found)

    @torch.no_grad()
    def targets(self, states: Tensor) -> tuple[Tensor, ...]:
        """(N, V) of each slow head, for (N, H) float32 states."""
        return tuple(head(states) for head in self.target_q_heads)


def _before_last(head: Any, states: Tensor) -> tuple[Tensor, nn.Linear]:
    """What enters a head's last layer, and that layer."""
    first, nonlinearity, last = head
    return nonlinearity(first(states)), last


def _head(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, outputs))


@dataclass(frozen=True)
class Outputs:
    """What one forward pass gives for the N states of a batch.

    Args:
        logprobs: (N,) float32 of each action under the language model.
        estimates: of the heads.
    """

    logprobs: Tensor
    estimates: ActionValues


class QRoles(nn.Module):
    """A language model with the heads.

    Args:
        model: bare, or inside peft.
        heads: of its width and vocabulary.
        autocast: compute the model in bfloat16 where that is safe.
    """

    def __init__(self, model: nn.Module, heads: QHeads, *, autocast: Autocast = False) -> None:
        super().__init__()
        self.model = model
        self.heads = heads
        self.autocast = autocast

    def forward(self, batch: Batch) -> Outputs:
        """Of the actions in `Batch.labels`, each taken at its place."""
        with computing(batch.ids.device, self.autocast):
            reading = read(self.model, batch)
            scores = token_scores(reading.inputs, reading.head, batch.labels)
        found = self.heads.at(reading.states, batch.labels, compiled=reading.head.compiled)
        return Outputs(scores.logprobs, found)


def heads_for(model: nn.Module, *, two_qs: bool, run_seed: int) -> QHeads:
    """Fresh heads that fit a model, on its device; the start follows from the seed."""
    head = output_head(model)
    vocabulary, width = head.weight.shape
    torch.manual_seed(seed(run_seed, "q heads"))
    return QHeads(int(width), int(vocabulary), two_qs=two_qs).to(head.weight.device)


@contextmanager
def calls_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Within it, the tensors that `module` is called with are kept in order."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0])

    handle = module.register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


@dataclass(frozen=True)
class QCard:
    """How a model that was trained with ILQL answers, unless told otherwise.

    Args:
        beta: weight of Q - V.
        top_k, temperature, max_new_tokens: as in `Sampling`.
        chat: plain prompts are a user's turn, not text to be continued.
        system: system message for conversations that have none.
    """

    beta: float = 1.0
    top_k: int = 20
    temperature: float = 1.0
    max_new_tokens: int = 64
    chat: bool = False
    system: str = ""


def save_heads(heads: QHeads, card: QCard, folder: Path) -> None:
    """Put heads and card beside the model's own files.

    Raises: StorageError on a full disk.
    """
    from safetensors.torch import save_file

    weights = {name: t.detach().cpu().contiguous() for name, t in heads.state_dict().items()}
    with replacing_file(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    write_atomically(folder / CARD, json.dumps(asdict(card), indent=2) + "\n")


def has_heads(folder: Path) -> bool:
    """Whether a folder's model was trained with ILQL."""
    return (folder / WEIGHTS).is_file()


def load_heads(folder: Path, model: nn.Module) -> tuple[QHeads, QCard]:
    """What `save_heads` wrote, on the device of the model that it belongs to.

    Raises: ModelError if there are none, they are damaged, or belong to another model.
    """
    if not has_heads(folder):
        raise ModelError(
            f"{folder} has no heads of ILQL (no {WEIGHTS})",
            remedy="Train some: luciola train ilql model=MODEL data=SAMPLES.jsonl",
        )
    from safetensors.torch import load_file

    try:
        weights = load_file(folder / WEIGHTS)
        two_qs = any(name.startswith("q_heads.1.") for name in weights)
        heads = heads_for(model, two_qs=two_qs, run_seed=0)
        heads.load_state_dict(weights)
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        values = {f.name: card[f.name] for f in fields(QCard) if f.name in card}
    except Exception as error:  # damaged bytes raise anything
        line = str(error).strip().splitlines()[0]
        raise ModelError(
            f"the heads of ILQL in {folder} do not fit its model, or are damaged ({line})",
            remedy="Copy the folder again from its run.",
        ) from error
    return heads.eval(), QCard(**values)
