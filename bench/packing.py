"""How long a training step takes by layout and precision: questions about one database.

    python bench/packing.py [--model smollm2-135m] [--prefix 180] [--branches 8] [--length 50]

LoRA r 16 on every linear layer, random tokens, the last 20 of each example trained; forward and
backward pass, best of `--repeat`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from luciola.config.training import LoraConfig
from luciola.data.rows import Row, Tree, packed_rows, padded_rows, tree_rows
from luciola.models.adapters import attach_lora
from luciola.models.batch import Batch
from luciola.models.load import load_model
from luciola.models.roles import Policy
from luciola.types import Tokens

PRECISIONS = {
    "fp32": (torch.float32, False),
    "bf16 over fp32 weights": (torch.float32, True),
    "bf16": (torch.bfloat16, True),
}


def samples(prefix: int, branches: int, length: int) -> list[Tokens]:
    """Examples that begin with the same `prefix` tokens and go on for `length`."""
    random = np.random.default_rng(0)
    shared = random.integers(3, 40_000, prefix)
    trained = np.arange(prefix + length) >= prefix + length - 20
    made = (
        np.concatenate([shared, random.integers(3, 40_000, length)]).astype(np.int32)
        for _ in range(branches)
    )
    return [Tokens(ids, trained, prefix=prefix) for ids in made]


def seconds(policy: Policy, rows: list[Row], device: torch.device, repeat: int) -> float:
    """The fastest of `repeat` forward and backward passes over all rows."""
    best = float("inf")
    for _ in range(repeat + 1):  # the first warms up, and may also be the best
        began = time.perf_counter()
        for row in rows:
            batch = Batch.of(row, device)
            (-policy(batch).logprobs.sum()).backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        policy.zero_grad()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    """Print a line for each layout and precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--prefix", type=int, default=180)
    parser.add_argument("--branches", type=int, default=8)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    group = samples(options.prefix, options.branches, options.length)
    tree = [Tree(options.prefix, tuple(range(len(group))))]
    layouts = {
        "padded": padded_rows(group, 10**6),
        "packed": packed_rows(group, 10**6),
        "tree": tree_rows(group, tree, 10**6),
    }
    for name, (weights, autocast) in PRECISIONS.items():
        model = load_model(options.model, dtype=weights, device=device, attention="luciola")
        policy = Policy(attach_lora(model, LoraConfig(), run_seed=0), autocast=autocast).train()
        for layout, rows in layouts.items():
            took = seconds(policy, rows, device, options.repeat)
            speed = len(group) / took
            print(f"{name:<24}{layout:<8}{took:6.2f} s  {speed:5.2f} examples/s", flush=True)


if __name__ == "__main__":
    main()
