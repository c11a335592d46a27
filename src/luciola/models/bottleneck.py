"""Bottleneck adapters, which peft lacks: Houlsby et al. 2019 and Pfeiffer et al. 2020.

Behind a part of a decoder layer stands h + W_up · f(W_down · h); W_up starts at 0, so that the
model begins as it was. They live inside peft: its switch, its folder, its names. Left out: the
original's trained layer norms, and inverse adapters at the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.mapping import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PEFT_TYPE_TO_PREFIX_MAPPING,
    PEFT_TYPE_TO_TUNER_MAPPING,
)
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn

PREFIX = "bottleneck_"
NONLINEARITIES = {"relu": torch.relu, "gelu": nn.functional.gelu, "swish": nn.functional.silu}


@dataclass
class BottleneckConfig(PeftConfig):
    """What the folder's adapter_config.json says of a bottleneck adapter.

    Args:
        target_modules: the parts of a decoder layer that it stands behind.
        exclude_modules: always None; peft asks for it.
        width: of the states, H.
        size: of the bottleneck.
        nonlinearity: relu, gelu or swish.
    """

    target_modules: Any = None
    exclude_modules: Any = None
    modules_to_save: list[str] | None = field(default=None)
    width: int = 0
    size: int = 0
    nonlinearity: str = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)


@dataclass
class HoulsbyConfig(BottleneckConfig):
    """Adapters after attention and after the feed-forward part.

    Source: Houlsby et al. 2019, section 2.1, https://arxiv.org/abs/1902.00751.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = "HOULSBY"


@dataclass
class PfeifferConfig(BottleneckConfig):
    """Adapters after the feed-forward part only.

    Source: Pfeiffer et al. 2020, section 3.1, https://arxiv.org/abs/2005.00247.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = "PFEIFFER"


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A part of a decoder layer with bottlenecks behind it, by the adapter's name."""

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")
    other_param_names = ("nonlinearity",)

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self.nonlinearity: dict[str, str] = {}
        self.merged_adapters: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Decoder layers also read what their parts are, not only call them."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)

    def add(self, name: str, config: BottleneckConfig, *, inference: bool) -> None:
        """Put one more bottleneck here; W_down as nn.Linear begins, W_up and its bias 0."""
        self.bottleneck_down[name] = nn.Linear(config.width, config.size)
        self.bottleneck_up[name] = nn.Linear(config.size, config.width)
        for parameter in self.bottleneck_up[name].parameters():
            nn.init.zeros_(parameter)
        self.nonlinearity[name] = config.nonlinearity
        place = next(self.base_layer.parameters()).device
        self.bottleneck_down[name].to(place)
        self.bottleneck_up[name].to(place)
        self.set_adapter(self.active_adapters, inference_mode=inference)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the part gives; of a tuple the first is the states (B, T, H)."""
        outputs = self.base_layer(*inputs, **named)
        if self.disable_adapters:
            return outputs
        if isinstance(outputs, tuple):
            return (self._through(outputs[0]), *outputs[1:])
        return self._through(outputs)

    def _through(self, states: Tensor) -> Tensor:
        for name in self.active_adapters:
            if name in self.bottleneck_down:
                down, up = self.bottleneck_down[name], self.bottleneck_up[name]
                function = NONLINEARITIES[self.nonlinearity[name]]
                weight: Any = down.weight
                inner = function(down(states.to(weight.dtype)))
                states = states + up(inner).to(states.dtype)
        return states

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Raises: ValueError: there is no matrix that a nonlinear layer could be added into."""
        raise ValueError("a bottleneck adapter has a nonlinearity and cannot be merged")

    def unmerge(self) -> None:
        """Nothing was merged."""


class BottleneckModel(BaseTuner):
    """peft's view of a model with bottlenecks."""

    prefix = PREFIX
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, Any] = {}  # noqa: RUF012  # peft reads a plain class attribute

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        inference = peft_config.inference_mode
        if isinstance(target, BottleneckLayer):
            target.add(adapter_name, peft_config, inference=inference)
            return
        layer = BottleneckLayer(target)
        layer.add(adapter_name, peft_config, inference=inference)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        setattr(parent, target_name, layer)


def register() -> None:
    """Make peft know both kinds; `PeftModel.from_pretrained` loads them from then on."""
    for name, settings in (("HOULSBY", HoulsbyConfig), ("PFEIFFER", PfeifferConfig)):
        PEFT_TYPE_TO_CONFIG_MAPPING[name] = settings  # type: ignore[index]
        PEFT_TYPE_TO_TUNER_MAPPING[name] = BottleneckModel  # type: ignore[index]
        PEFT_TYPE_TO_PREFIX_MAPPING[name] = PREFIX  # type: ignore[index]
