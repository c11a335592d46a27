"""How fast a full fine-tuning step of the 135M shape is, and how much memory it takes.

    PYTHONPATH=src python bench/training.py [--rows 16] [--length 1024] [--steps 10]
        [--ways eager,compiled,compiled-bf16] [--cells 67108864] [--layout packed]

The run's own step (`training/step.py`) over the run's own loss (`methods/sft.py`), on random
weights and random tokens, every token trained, in one micro-batch, AdamW. Nothing is downloaded.
Ways: eager and compiled have float32 weights under bfloat16 autocast; -bf16 has bfloat16 weights.
Prints one line a way as soon as it is measured: tokens a second, milliseconds a step, peak memory,
and what the first three steps took, compilation among it.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch

from luciola.data.rows import packed_rows, padded_rows
from luciola.methods.preparation import compile_layers
from luciola.methods.sft import Sft
from luciola.models import attention, token_scores
from luciola.models.batch import Batch
from luciola.models.roles import Policy
from luciola.training.optimizer import build_optimizer
from luciola.training.step import optimizer_step
from luciola.training.world import World
from luciola.types import Tokens

SHAPE: dict[str, Any] = {
    "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}  # fmt: skip
"""SmolLM2-135M's."""


def build(world: World, dtype: torch.dtype, layers: int) -> Any:
    """A random model of the shape, with attention for flat rows."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    settings = {**SHAPE, "num_hidden_layers": layers, "attn_implementation": attention.register()}
    with torch.device(world.device):
        model: Any = LlamaForCausalLM(LlamaConfig(**settings))
        return model.to(dtype).train()


def batches(world: World, rows: int, length: int, layout: str, count: int) -> list[Batch]:
    """`count` micro-batches, each of `rows` examples; packed ones of different lengths that come
    to the same number of tokens, so that a graph for one length only would show.
    """
    random = np.random.default_rng(0)
    made = []
    for index in range(count):
        move = length // 64 * (index % 4) if layout == "packed" else 0
        lengths = [length + (move if i % 2 else -move) for i in range(rows)]
        samples = [
            Tokens(random.integers(3, 40_000, n).astype(np.int32), np.arange(n) > 0)
            for n in lengths
        ]
        row = packed_rows if layout == "packed" else padded_rows
        (one,) = row(samples, sum(lengths) + rows * length)
        made.append(Batch.of(one, world.device))
    return made


def measure(way: str, given: argparse.Namespace, world: World) -> str:
    """A line of figures for one way."""
    on_gpu = world.device.type == "cuda"
    torch._dynamo.reset()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    narrow = way.endswith("bf16")
    model = build(world, torch.bfloat16 if narrow else torch.float32, given.layers)
    if way.startswith("compiled"):
        compile_layers(model)
    policy = Policy(model, autocast=not narrow)
    method = Sft(policy, None, world)  # type: ignore[arg-type]  # a plan is not needed for a loss
    method.after_step = lambda means: None  # type: ignore[method-assign]
    optimizer = build_optimizer(
        dict(policy.named_parameters()), kind="adamw", lr=1e-4, betas=(0.9, 0.999),
        weight_decay=0.0,
    )  # fmt: skip
    first = 3
    todo = batches(world, given.rows, given.length, given.layout, first + given.steps)

    def steps(some: list[Batch], begin: int) -> float:
        if on_gpu:
            torch.cuda.synchronize()
        began = time.perf_counter()
        for index, batch in enumerate(some):
            optimizer_step(
                method, [batch], optimizer, world, step=begin + index, run_seed=0,
                max_grad_norm=1.0,
            )  # fmt: skip
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - began

    warm = steps(todo[:first], 0)
    seconds = steps(todo[first:], first) / given.steps
    tokens = todo[0].num_tokens
    peak = f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if on_gpu else "-"
    return (
        f"{way:>14}: {tokens / seconds:>9,.0f} tok/s, {seconds * 1e3:,.1f} ms a step, peak {peak}, "
        f"first {first} steps {warm:.1f} s"
    )


def main() -> None:
    """Measure each way in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--ways", default="eager,compiled,eager-bf16,compiled-bf16")
    parser.add_argument("--layout", choices=("packed", "padded"), default="packed")
    parser.add_argument("--cells", type=int, default=0, help="logits computed at once; 0: as usual")
    given = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    world = World()
    if given.cells:
        token_scores.CELLS[world.device.type] = given.cells
    name = torch.cuda.get_device_name() if world.device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {given.rows} x {given.length} tokens", flush=True)
    for way in given.ways.split(","):
        try:
            print(measure(way, given, world), flush=True)
        except Exception as error:
            print(f"{way:>14}: failed: {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
