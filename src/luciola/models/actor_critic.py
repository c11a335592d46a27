"""The roles of an online run over one base: actor, critic, reference; one module, one forward pass.

With adapters all three share one set of base weights: the actor is the adapter "default", a critic
of its own the adapter "critic", the reference the base with no adapter (or the adapter
"reference", a copy of the one that the run began with). With full weights the reference is a frozen
copy. Values are read off the states that enter the output head, in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from luciola.models.batch import Batch, model_inputs
from luciola.models.head import Reading, read
from luciola.models.logit_arithmetic import Wanted
from luciola.models.precision import Autocast, computing
from luciola.models.switching import adapters, using_adapter
from luciola.models.token_scores import Reference, TokenScores, token_scores

CRITIC = "critic"
REFERENCE = "reference"


@dataclass(frozen=True)
class Outputs:
    """What one forward pass gives for the N trained tokens.

    Args:
        scores: of the tokens under the actor.
        values: (N,) float32, of the state before each token; None where there is no critic.
        reference_logprobs: (N,) float32 under the reference; None: not asked for.
    """

    scores: TokenScores
    values: Tensor | None
    reference_logprobs: Tensor | None = None


class ActorCritic(nn.Module):
    """Actor, critic and reference.

    Args:
        model: the actor, a causal language model, bare or inside peft.
        value_head: (H) -> 1; None: no critic.
        critic: the critic's own body where it has its own full weights; else None.
        reference: a model of its own; None: the actor's base with the adapter off, or on
            "reference".
        autocast: compute in half precision where that is safe.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        value_head: nn.Linear | None = None,
        critic: nn.Module | None = None,
        reference: nn.Module | None = None,
        autocast: Autocast = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.value_head = value_head
        self.critic = critic
        self.reference = reference
        self.autocast = autocast

    def forward(
        self,
        batch: Batch,
        wanted: Wanted | None = None,
        *,
        reference: bool = False,
        full_kl: bool = False,
    ) -> Outputs:
        """Scores and values of the batch's trained tokens.

        Args:
            wanted: which scores, and at which temperature.
            reference: the reference's log-probabilities as well, without gradient.
            full_kl: the KL to the reference over the whole vocabulary, in the scores.
        """
        with self._computing(batch):  # apart from the actor's, for autocast keeps casts of weights
            then = self._read_reference(batch) if reference or full_kl else None
            expected = None
            if then is not None and reference:
                expected = self._reference_logprobs(then, batch, wanted)
        with self._computing(batch):
            now = read(self.model, batch)
            kl_to = Reference(then.inputs, then.head) if then is not None and full_kl else None
            scores = token_scores(
                now.inputs, now.head, batch.labels, wanted=wanted, reference=kl_to
            )
            if self.value_head is None:
                return Outputs(scores, None, expected)
            states = self._critic_states(batch) if self._has_own_critic else now.states
        return Outputs(scores, self.value_head(states.float())[:, 0], expected)

    @torch.no_grad()
    def _read_reference(self, batch: Batch) -> Reading:
        if self.reference is not None:
            return read(self.reference, batch)
        named = REFERENCE if REFERENCE in adapters(self.model) else None
        with using_adapter(self.model, named):
            return read(self.model, batch)

    @torch.no_grad()
    def _reference_logprobs(self, then: Reading, batch: Batch, wanted: Wanted | None) -> Tensor:
        temperature = Wanted(1.0 if wanted is None else wanted.temperature)
        return token_scores(then.inputs, then.head, batch.labels, wanted=temperature).logprobs

    @property
    def _has_own_critic(self) -> bool:
        return self.critic is not None or CRITIC in adapters(self.model)

    def _critic_states(self, batch: Batch) -> Tensor:
        """(N, H) states of the critic's own body."""
        if self.critic is not None:
            outputs = self.critic(**model_inputs(batch))
        else:
            with using_adapter(self.model, CRITIC):
                outputs = body_of(self.model)(**model_inputs(batch))
        states: Tensor = outputs.last_hidden_state
        return states[batch.rows, batch.columns]

    def _computing(self, batch: Batch) -> torch.autocast:
        return computing(batch.ids.device, self.autocast)


def body_of(model: nn.Module) -> nn.Module:
    """The model without its output head; adapters inside stay."""
    bare: Any = model.get_base_model() if hasattr(model, "peft_config") else model  # type: ignore[operator]
    body: nn.Module = getattr(bare, bare.base_model_prefix)
    return body


def silence_dropout(model: nn.Module) -> None:
    """No dropout in any pass: the ratio of two passes would measure it instead of learning."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):  # hidden_dropout, activation_dropout, ...
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
