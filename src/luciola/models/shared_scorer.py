"""A reward model on the policy's own base weights: one more adapter, and a head of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from luciola.models.actor_critic import body_of
from luciola.models.batch import Batch, model_inputs
from luciola.models.load import base_source, load_tokenizer
from luciola.models.precision import Autocast, computing
from luciola.models.quiet import quiet
from luciola.models.scorer import RewardCard, Scorer
from luciola.models.source import ADAPTER, resolve
from luciola.models.switching import using_adapter

REWARD = "reward"


class SharedRewardModel(nn.Module):
    """Scores like `models.classifier.RewardModel`, with the policy's base under an adapter.

    Args:
        policy: the peft model that has the adapter; it stays where it is, and is no part of this.
        head: (H) -> 1, float32.
        adapter: its name.
        autocast: as in the run.
    """

    def __init__(self, policy: Any, head: nn.Linear, adapter: str, *, autocast: Autocast) -> None:
        super().__init__()
        self._policy = (policy,)  # in a tuple, so that it is not registered a second time
        self.head = head
        self.adapter = adapter
        self.autocast = autocast

    def forward(self, batch: Batch) -> Tensor:
        """(N,) float32 raw scores at the batch's rows and columns."""
        (policy,) = self._policy
        kind = batch.ids.device.type
        with (
            computing(batch.ids.device, self.autocast),
            using_adapter(policy, self.adapter),
        ):
            states: Tensor = body_of(policy)(**model_inputs(batch)).last_hidden_state
        with torch.autocast(kind, enabled=False):
            scores: Tensor = self.head(states[batch.rows, batch.columns].float())
            return scores[:, 0]


def shared_scorer(
    policy: Any,
    base: str,
    folder: str | Path,
    *,
    autocast: Autocast = False,
    trust_remote_code: bool = False,
) -> Scorer | None:
    """A reward model's scorer on the policy's base; None where they cannot share one.

    They can where the reward model is a LoRA adapter over the very base that the policy's adapters
    are on.

    Args:
        policy: the policy, inside peft; gets one more adapter, which is never trained.
        base: the policy's model, as the recipe names it.
        folder: of the reward model.
        trust_remote_code: run Python code that comes with its tokenizer.
    """
    source = resolve(folder)
    is_adapter = source.is_local and (source.path / ADAPTER).is_file()
    if not (hasattr(policy, "peft_config") and is_adapter):
        return None
    import peft
    from safetensors.torch import load_file

    settings = peft.PeftConfig.from_pretrained(str(source.path))
    if not isinstance(settings, peft.LoraConfig):
        return None
    if not base_source(source).is_same(base_source(base)):
        return None
    weights = load_file(source.path / "adapter_model.safetensors")
    heads = [name for name in weights if name.endswith("score.weight")]
    if len(heads) != 1:
        return None
    head_weight = weights.pop(heads[0])
    name = _free_name(policy)
    settings.modules_to_save, settings.task_type = None, peft.TaskType.CAUSAL_LM
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    with quiet():
        policy.add_adapter(name, settings)
        peft.set_peft_model_state_dict(policy, weights, adapter_name=name)
    for parameter_name, parameter in policy.named_parameters():
        if f".{name}." in parameter_name:
            parameter.requires_grad_(False)
    for parameter in trained:  # peft may have changed what is trained
        parameter.requires_grad_(True)
    device = next(policy.parameters()).device
    head = nn.Linear(head_weight.shape[1], 1, bias=False, device=device)
    with torch.no_grad():
        head.weight.copy_(head_weight)
    model = SharedRewardModel(policy, head.requires_grad_(False), name, autocast=autocast)
    tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
    return Scorer(model, tokenizer, RewardCard.read(source.path), device=device)


def _free_name(policy: Any) -> str:
    taken = set(policy.peft_config)
    return next(n for n in (REWARD, *(f"{REWARD}{i}" for i in range(2, 99))) if n not in taken)
