"""Making the roles of an online run from one loaded model."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from luciola.config.training import LoraConfig
from luciola.errors import ConfigError, ModelError
from luciola.models.actor_critic import CRITIC, REFERENCE, ActorCritic, body_of, silence_dropout
from luciola.models.adapter_kinds import low_rank_settings
from luciola.models.lora_targets import leave_out
from luciola.models.precision import Autocast
from luciola.models.quiet import quiet
from luciola.models.scorer import RewardCard
from luciola.models.virtual_tokens import has_virtual_tokens
from luciola.seeds import seed


def frozen_copy(model: nn.Module) -> nn.Module:
    """The same weights again, never trained."""
    frozen = copy.deepcopy(model)
    frozen.requires_grad_(False)
    return frozen.eval()


def value_head_for(model: nn.Module, init: str, *, run_seed: int) -> nn.Linear:
    """A float32 head from states to a value.

    Args:
        init: "zero": every value is 0 at first; "random": N(0, 1/(H + 1)); or the folder of a
            reward model, or of its run, with states of the same width: on the scale of its scores.

    Raises: ModelError if that folder's head does not fit.
    """
    width = int(model.config.get_text_config().hidden_size)  # type: ignore[operator, union-attr]
    device = next(model.parameters()).device
    head = nn.Linear(width, 1, device=device, dtype=torch.float32)
    torch.manual_seed(seed(run_seed, "value head"))
    nn.init.zeros_(head.bias)
    if init == "zero":
        nn.init.zeros_(head.weight)
    elif init == "random":
        nn.init.normal_(head.weight, std=(width + 1) ** -0.5)
    else:
        folder = _reward_folder(init)
        weight, card = _score_head(folder), RewardCard.read(folder)
        if weight.shape != head.weight.shape:
            raise ModelError(
                f"value_init: the head of {init} reads states of width {weight.shape[-1]}, "
                f"and this model's have {width}",
                remedy="Give a reward model over the same kind of model, or value_init=zero.",
            )
        with torch.no_grad():
            head.weight.copy_(card.gain * weight)
            head.bias.fill_(card.bias)
    return head


def _reward_folder(name: str) -> Path:
    """Where a reward model's files are, given its folder or its run's."""
    folder = Path(name).expanduser()
    return folder / "model" if (folder / "model").is_dir() else folder


def _score_head(folder: Path) -> torch.Tensor:
    """(1, H) weight of a reward model's head."""
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            names = [n for n in weights.keys() if n.endswith("score.weight")]  # noqa: SIM118
            if names:
                found: torch.Tensor = weights.get_tensor(names[0])
                return found
    raise ModelError(
        f"value_init: {folder} holds no reward model (no weights named score.weight)",
        remedy="Give a folder that `luciola train reward` wrote, or value_init=zero or random.",
    )


def build_roles(
    model: Any,
    *,
    adapter: str,
    lora: LoraConfig,
    continued: bool,
    critic: Literal["none", "shared", "separate"],
    value_init: str,
    reference: nn.Module | None,
    autocast: Autocast,
    run_seed: int,
) -> ActorCritic:
    """The roles over `model`, whose trained parts are already chosen; no role has dropout.

    Args:
        continued: the model came with the adapter that is trained, so that the reference is a copy
            of that adapter and not the base alone.
        reference: a model of its own for the KL; None: the model as it is now.

    Raises: ConfigError for a critic of its own beside virtual tokens.
    """
    in_weights = adapter in ("full", "freeze")
    if has_virtual_tokens(model) and (critic == "separate" or (continued and reference is None)):
        raise ConfigError(
            f"adapter={adapter} cannot stand twice on one base, as a critic of its own or a "
            "reference that continues an adapter needs",
            remedy="Take critic=shared and begin from the base, or adapter=lora.",
        )
    silence_dropout(model)
    value_head = None
    if critic != "none":
        value_head = value_head_for(model, value_init, run_seed=run_seed)
    own_critic = None
    if reference is None and in_weights:
        reference = frozen_copy(model)
    if critic == "separate" and in_weights:
        own_critic = copy.deepcopy(body_of(model))
    if not in_weights:
        _add_adapters(model, lora, continued=continued, critic=critic, reference=reference)
    roles = ActorCritic(
        model, value_head=value_head, critic=own_critic, reference=reference, autocast=autocast
    )
    silence_dropout(roles)
    return roles


def _add_adapters(
    model: Any,
    lora: LoraConfig,
    *,
    continued: bool,
    critic: str,
    reference: nn.Module | None,
) -> None:
    """The adapters beside the trained one, on the same base."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    active = model.active_adapter
    if has_virtual_tokens(model):
        return
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    added = []
    with quiet():
        if continued and reference is None:
            model.add_adapter(REFERENCE, copy.deepcopy(model.peft_config[active]))
            values = get_peft_model_state_dict(model, adapter_name=active)
            set_peft_model_state_dict(model, values, adapter_name=REFERENCE)
        if critic == "separate":
            settings = _critic_settings(model.peft_config[active], lora)
            leave_out(settings, model.get_base_model())
            model.add_adapter(CRITIC, settings)
            added.append(f".{CRITIC}.")
        model.set_adapter(active)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained or any(part in name for part in added))


def _critic_settings(actors: Any, lora: LoraConfig) -> Any:
    """Of the kind of the actor's adapter; beside pissa's plain LoRA."""
    import peft

    if not isinstance(actors, peft.LoraConfig):
        return copy.deepcopy(actors)
    kind = "dora" if actors.use_dora else "rslora" if actors.use_rslora else "lora"
    return low_rank_settings(lora, kind)
