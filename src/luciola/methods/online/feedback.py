"""What policy, reference and critic say about each token of an answer, before learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from luciola.methods.online.experience import Rollout
from luciola.methods.stream import Kind, lay_out
from luciola.models.actor_critic import ActorCritic
from luciola.models.batch import Batch
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.kl import KlKind, full_kl, kl_estimate
from luciola.types import Tokens


@dataclass(frozen=True)
class Layout:
    """How answers are laid out for a forward pass: the kind of rows, and tokens a row."""

    kind: Kind
    capacity: int


@dataclass(frozen=True)
class Feedback:
    """Reads the roles without gradients.

    Args:
        roles: the run's module, unwrapped: no gradients flow here.
        layout: of the rows.
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

    def judged(self, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """The rollouts with log-probabilities, KL, values and entropies of every token."""
        columns = self._columns([one.tokens for one in rollouts], self._judge)
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
        return self._columns(samples, self._policy)

    @torch.no_grad()
    def _columns(
        self, samples: Sequence[Tokens], read: Callable[[Batch], dict[str, Tensor]]
    ) -> list[dict[str, Tensor]]:
        """What `read` says of the answers' tokens, answer by answer."""
        found: list[dict[str, Tensor]] = [{} for _ in samples]
        was_training = self.roles.training
        self.roles.eval()
        for row in lay_out(samples, self.layout.kind, self.layout.capacity) if samples else []:
            flat = read(Batch.of(row, self.device))
            lengths = [int(samples[i].trained.sum()) for i in row.examples]
            for name, values in flat.items():
                pieces = values.float().cpu().split(lengths)
                for example, piece in zip(row.examples, pieces, strict=True):
                    found[example][name] = piece
        self.roles.train(was_training)
        return found

    def _policy(self, batch: Batch) -> dict[str, Tensor]:
        outputs = self.roles(batch)
        logprobs = token_logprobs(outputs.logits, batch.labels, temperature=self.temperature)
        values = {} if outputs.values is None else {"values": outputs.values}
        return {"logprobs": logprobs, **values}

    def _judge(self, batch: Batch) -> dict[str, Tensor]:
        outputs = self.roles(batch)
        logits = outputs.logits / self.temperature
        reference = self.roles.reference_logits(batch) / self.temperature
        found = {
            "logprobs": token_logprobs(logits, batch.labels),
            "reference": token_logprobs(reference, batch.labels),
            "entropies": entropy(logits),
        }
        if self.kl == "full":
            found["kls"] = full_kl(logits, reference)
        else:
            found["kls"] = kl_estimate(found["logprobs"], found["reference"], self.kl)  # type: ignore[arg-type]
        if outputs.values is not None:
            found["values"] = outputs.values
        return found
