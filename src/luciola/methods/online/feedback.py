"""What policy, reference and critic say about each token of an answer, before learning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from luciola.data.rows import Row
from luciola.methods.online.experience import Rollout
from luciola.methods.stream import Kind, halved, lay_out
from luciola.models.actor_critic import ActorCritic
from luciola.models.batch import Batch
from luciola.models.logit_arithmetic import Wanted
from luciola.objectives.kl import KlKind, kl_estimate
from luciola.training.step import MicroBatchTooLargeError, release_memory
from luciola.types import Tokens

log = logging.getLogger(__name__)

Read = Callable[[Batch], dict[str, Tensor]]


@dataclass(frozen=True)
class Layout:
    """How answers are laid out for a forward pass: the kind of rows, and tokens a row."""

    kind: Kind
    capacity: int


@dataclass
class Feedback:
    """Reads the roles without gradients.

    Args:
        roles: the run's module, unwrapped: no gradients flow here.
        layout: of the rows; where memory runs out, those of `judged` are halved for good.
        device: where the roles are.
        temperature: of sampling.
        kl: the estimator of a token's KL.
        from_sampler: the sampler's log-probabilities count as the policy's.
    """

    roles: ActorCritic
    layout: Layout
    device: torch.device
    temperature: float
    kl: KlKind | str
    from_sampler: bool = False

    def limit(self, capacity: int) -> None:
        """From now on rows have at most `capacity` tokens."""
        self.layout = replace(self.layout, capacity=min(self.layout.capacity, capacity))

    def judged(self, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """The rollouts with log-probabilities, KL, values and entropies of every token."""
        columns, capacity = self._fitting([one.tokens for one in rollouts], self._judge)
        self.limit(capacity)
        made = []
        for one, found in zip(rollouts, columns, strict=True):
            filled: dict[str, Any] = {
                name: tuple(values.tolist()) for name, values in found.items()
            }
            if self.from_sampler:
                filled["logprobs"] = one.sampled
            made.append(replace(one, **filled))
        return made

    def policy(self, samples: Sequence[Tokens]) -> list[dict[str, Tensor]]:
        """Log-probabilities and values as they are now, answer by answer."""
        return self._fitting(samples, self._policy)[0]

    def _fitting(
        self, samples: Sequence[Tokens], read: Read
    ) -> tuple[list[dict[str, Tensor]], int]:
        """What `read` says of the answers' tokens, answer by answer, and the tokens a row that it
        took: as many as the layout says, or as memory holds.

        Raises: MicroBatchTooLargeError where an answer by itself is too much.
        """
        capacity = self.layout.capacity
        was_training = self.roles.training
        self.roles.eval()
        try:
            while True:
                rows = lay_out(samples, self.layout.kind, capacity) if samples else []
                found = self._columns(rows, samples, read)
                if not isinstance(found, str):
                    return found, capacity
                smaller = halved((row.num_tokens, len(row.examples)) for row in rows)
                if smaller is None:
                    raise MicroBatchTooLargeError(found)
                log.info("out of memory without gradients: %d tokens a row, same result", smaller)
                capacity = smaller
                release_memory()
        finally:
            self.roles.train(was_training)

    def _columns(
        self, rows: Sequence[Row], samples: Sequence[Tokens], read: Read
    ) -> list[dict[str, Tensor]] | str:
        """What `read` says, or what torch said where memory ran out: its error holds the frames."""
        try:
            return self._read(rows, samples, read)
        except torch.OutOfMemoryError as error:
            return str(error) or "out of memory"

    @torch.no_grad()
    def _read(
        self, rows: Sequence[Row], samples: Sequence[Tokens], read: Read
    ) -> list[dict[str, Tensor]]:
        found: list[dict[str, Tensor]] = [{} for _ in samples]
        for row in rows:
            flat = read(Batch.of(row, self.device))
            lengths = [int(samples[i].trained.sum()) for i in row.examples]
            for name, values in flat.items():
                pieces = values.float().cpu().split(lengths)
                for example, piece in zip(row.examples, pieces, strict=True):
                    found[example][name] = piece
        return found

    def _policy(self, batch: Batch) -> dict[str, Tensor]:
        outputs = self.roles(batch, Wanted(self.temperature))
        values = {} if outputs.values is None else {"values": outputs.values}
        return {"logprobs": outputs.scores.logprobs, **values}

    def _judge(self, batch: Batch) -> dict[str, Tensor]:
        wanted = Wanted(self.temperature, entropy=True)
        outputs = self.roles(batch, wanted, reference=True, full_kl=self.kl == "full")
        scores, reference = outputs.scores, outputs.reference_logprobs
        assert reference is not None and scores.entropies is not None
        found = {
            "logprobs": scores.logprobs,
            "reference": reference,
            "entropies": scores.entropies,
        }
        if scores.kls is not None:
            found["kls"] = scores.kls
        else:
            found["kls"] = kl_estimate(scores.logprobs, reference, self.kl)  # type: ignore[arg-type]
        if outputs.values is not None:
            found["values"] = outputs.values
        return found
