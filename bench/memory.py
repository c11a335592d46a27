"""Predicted against measured memory of a training step on this machine's GPU.

    PYTHONPATH=src python bench/memory.py [NAME ...]

Models have random weights, built on the device from a shape, so that nothing is downloaded.
"""

from __future__ import annotations

import copy
import gc
import json
import sys
import time
import traceback
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from luciola.config.online import PpoConfig
from luciola.config.sft import DataSource, SftConfig
from luciola.memory import attention as simulated
from luciola.memory.cards import card_at_hand
from luciola.memory.forecast import PEAK, table
from luciola.memory.simulation import Load
from luciola.methods.measuring import measure_step
from luciola.methods.planning import Planner
from luciola.models.attention import NAME, register
from luciola.training.world import grow_segments

SHAPES: dict[str, Any] = {
    "135M": LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True,
    ),
    "0.5B": Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True,
    ),
    "7B": LlamaConfig(
        vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=32, tie_word_embeddings=False,
    ),
}  # fmt: skip

SHAPES["13B"] = LlamaConfig(
    vocab_size=32000, hidden_size=5120, intermediate_size=13824, num_hidden_layers=40,
    num_attention_heads=40, num_key_value_heads=40, tie_word_embeddings=False,
)  # fmt: skip
SHAPES["14B"] = Qwen2Config(
    vocab_size=152064, hidden_size=5120, intermediate_size=13696, num_hidden_layers=40,
    num_attention_heads=40, num_key_value_heads=40, tie_word_embeddings=False,
)  # fmt: skip
SHAPES["70B"] = LlamaConfig(
    vocab_size=32000, hidden_size=8192, intermediate_size=28672, num_hidden_layers=80,
    num_attention_heads=64, num_key_value_heads=8, tie_word_embeddings=False,
)  # fmt: skip

DATA = (DataSource("none"),)
ONLINE = {"prompts": "none", "reward": ("none",)}
CASES: dict[str, tuple[str, Any, int]] = {
    "135M full": ("135M", SftConfig(model="135M", data=DATA, adapter="full"), 16_384),
    "135M full, checkpointing": (
        "135M", SftConfig(model="135M", data=DATA, adapter="full", checkpointing=True), 16_384,
    ),
    "135M LoRA": ("135M", SftConfig(model="135M", data=DATA), 16_384),
    "0.5B LoRA": ("0.5B", SftConfig(model="0.5B", data=DATA), 8192),
    "PPO 135M full": ("135M", PpoConfig(model="135M", adapter="full", **ONLINE), 8192),
    "PPO 135M LoRA": ("135M", PpoConfig(model="135M", **ONLINE), 8192),
    "PPO 135M full, two bodies": (
        "135M", PpoConfig(model="135M", adapter="full", critic="separate", **ONLINE), 8192,
    ),
    "7B LoRA": ("7B", SftConfig(model="7B", data=DATA), 4096),
    "7B NF4 LoRA": ("7B", SftConfig(model="7B", data=DATA, adapter="qlora"), 4096),
    "7B LoRA, checkpointing": ("7B", SftConfig(model="7B", data=DATA, checkpointing=True), 8192),
}  # fmt: skip


class ShapePlanner(Planner):
    """Plans for a shape, not for a folder."""

    shape: Any = None

    def build(self, device: str, name: str) -> Any:
        """The model on a device, its weights in the run's type; in few bits on a GPU."""
        half = self.autocast and self.config.adapter != "full"
        kind = torch.bfloat16 if half else torch.float32
        quantise = self.quantised is not None
        with torch.device("meta" if quantise else device):
            model = AutoModelForCausalLM.from_config(
                copy.deepcopy(self.shape), attn_implementation=name, dtype=kind
            )
        if quantise and device != "meta":
            return four_bit(model, device)
        return model


def four_bit(model: Any, device: str) -> Any:
    """A model of the meta device with random weights in NF4, made layer by layer."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    for module in list(model.modules()):
        for child, layer in list(module.named_children()):
            if not isinstance(layer, nn.Linear) or child == "lm_head":
                continue
            packed = Linear4bit(
                layer.in_features, layer.out_features, bias=layer.bias is not None,
                compute_dtype=torch.bfloat16, compress_statistics=True, quant_type="nf4",
                device="meta",
            )  # fmt: skip
            values = torch.randn(layer.weight.shape, dtype=torch.bfloat16, device=device) * 0.02
            packed.weight = Params4bit(
                values, requires_grad=False, compress_statistics=True, quant_type="nf4",
                module=packed,
            ).to(device)  # fmt: skip
            if layer.bias is not None:
                packed.bias = nn.Parameter(
                    torch.zeros(layer.out_features, dtype=torch.bfloat16, device=device)
                )
            setattr(module, child, packed)
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                made = torch.randn(parameter.shape, dtype=parameter.dtype, device=device) * 0.02
                setattr(module, name, nn.Parameter(made, requires_grad=False))
    model.tie_weights()
    rotary = type(model.model.rotary_emb)
    with torch.device(device):
        model.model.rotary_emb = rotary(model.config)
    model.is_loaded_in_4bit = True
    return model


def run(name: str) -> dict[str, Any]:
    """One case: its table, and its figures."""
    shape, config, tokens = CASES[name]
    planner = ShapePlanner(config)
    planner.shape = SHAPES[shape]
    planner.__dict__["model"] = planner.build("meta", simulated.NAME)
    rows = {}
    for accumulates in (True, False):
        began = time.perf_counter()
        forecast = planner.forecast(tokens, accumulates=accumulates)
        seconds = time.perf_counter() - began
        measured = measure_step(
            config,
            lambda: planner.build("cuda", NAME),
            Load(tokens, tokens, accumulates),
            autocast=True,
        )
        peak = forecast.of_phase("update")
        apart = peak / measured[PEAK] - 1
        free, total = torch.cuda.mem_get_info()
        outside = total - free - torch.cuda.memory_reserved()
        reserved = torch.cuda.max_memory_reserved()
        print(
            f"\n{name}, {tokens} tokens, accumulates={accumulates}: {apart:+.2%}, "
            f"predicted in {seconds:.1f} s, reserved {reserved / 2**30:.2f} GiB, "
            f"outside of torch {outside / 2**20:.0f} MiB"
        )
        print(table(forecast, card_at_hand(), measured))
        print({k: round(v / 2**20, 1) for k, v in measured.items()}, flush=True)
        rows[str(accumulates)] = {"predicted": peak, "measured": measured[PEAK], "apart": apart}
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return {"case": name, "tokens": tokens, **rows}


def main() -> None:
    """Every case that was asked for; all where none was."""
    grow_segments()
    register()
    simulated.register()
    print(torch.__version__, torch.cuda.get_device_name())
    found = []
    for name in sys.argv[1:] or CASES:
        try:
            found.append(run(name))
        except Exception:
            traceback.print_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
