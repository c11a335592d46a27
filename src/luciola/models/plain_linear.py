"""The weight and bias of an output head, where one product is all that it does."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from luciola.models.head import Head


def plain_linear(head: Head) -> tuple[Tensor, Tensor | None] | None:
    """Weight (V, H) and bias (V,) with their gradients' way, whatever peft has put around them;
    None: adapters, few bits, hooks, or a weight that is spread over processes.
    """
    if head.module is None:
        return None
    with head.switch.again():
        return _parts(head.module)


def _parts(module: Any) -> tuple[Tensor, Tensor | None] | None:
    if type(module).__module__.startswith("peft."):
        return _inside_peft(module)
    hooked = module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__
    if type(module) is not nn.Linear or hooked or _is_distributed(module.weight):
        return None
    return module.weight, module.bias


def _inside_peft(module: Any) -> tuple[Tensor, Tensor | None] | None:
    """A copy that is trained whole, some rows of it, or a layer whose adapters are off."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper

    if isinstance(module, ModulesToSaveWrapper):
        acting = [] if module.disable_adapters else module.active_adapters
        copies = dict(module.modules_to_save.items())
        found = [copies[name] for name in acting if name in copies]
        return _parts(found[0] if found else module.original_module)
    if isinstance(module, TrainableTokensWrapper):
        rows: Any = module.token_adapter
        base = _parts(rows.base_layer)
        acting = [] if rows.disable_adapters or not module.active_adapters else rows.active_adapters
        if base is None or base[1] is not None or rows.merged or not acting:
            return base
        return rows.get_merged_weights(acting), None
    if isinstance(module, BaseTunerLayer) and module.disable_adapters and not module.merged:
        return _parts(module.get_base_layer())
    return None


def _is_distributed(tensor: Tensor) -> bool:
    """A DTensor's product is its own; known by name, so that nothing is imported for it."""
    return type(tensor.data).__name__ == "DTensor" or type(tensor).__name__ == "DTensor"
