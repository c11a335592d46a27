"""The sampling engine beside the plain sampler and the peers, in one process.

    python bench/engine.py                       # 135M, 64 and 256 rows, on a GPU
    python bench/engine.py --shape 7b --rows 64 --skip plain,generate,compiled
    python bench/engine.py --cpu                 # a tiny model, for machines without a GPU

Random weights in bfloat16 (float32 with --cpu), random prompts of 64 tokens, 128 new tokens at
temperature 1, log-probabilities kept (Hugging Face's generate keeps none). Every line is the better
of two runs after one that warms up; the first run, with its compiling and capturing, is told apart.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from luciola.rollout.engine.building import build
from luciola.types import Request, Sampling

Run = Callable[[list[list[int]], int], int]
"""Answers prompts with so many tokens each; returns the tokens."""


def main() -> None:
    """Measure, and print a line as soon as it is known."""
    arguments = parse()
    device = "cpu" if arguments.cpu else "cuda"
    shape = "tiny" if arguments.cpu else arguments.shape
    model = random_model(shape, device)
    size = sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    print(f"{shape}: {size / 1e6:,.0f}M parameters, {machine(device)}", flush=True)
    ways: dict[str, Run] = {
        "engine": sampler(model, "fast", arguments.temperature),
        "plain": sampler(model, "plain", arguments.temperature),
        "generate": generate(model, "dynamic", arguments.temperature),
        "compiled": generate(model, "static", arguments.temperature),
    }
    skipped = {*arguments.skip.split(","), *(["compiled"] if arguments.cpu else [])}
    for rows in map(int, arguments.rows.split(",")):
        dice = random.Random(rows)
        prompts = [
            [dice.randrange(model.config.vocab_size) for _ in range(arguments.prompt)]
            for _ in range(rows)
        ]
        for name, run in ways.items():
            if name not in skipped:
                measure(f"{name}, {rows} rows", run, prompts, arguments.answer, device)


def measure(
    name: str, run: Run, prompts: list[list[int]], answer: int, device: str, repeat: int = 2
) -> None:
    """Print the first run's time and the best of the others'."""
    seconds = []
    for _ in range(1 + repeat):
        synchronise(device)
        began = time.perf_counter()
        tokens = run(prompts, answer)
        synchronise(device)
        seconds.append(time.perf_counter() - began)
        if seconds[-1] > 20 and len(seconds) > 1:
            break
    best = min(seconds[1:])
    print(
        f"{name:22} {tokens / best:10,.0f} tok/s {1e3 * best / answer:8.3f} ms a step, prompts "
        f"included; first run {seconds[0]:.1f} s",
        flush=True,
    )


def sampler(model: PreTrainedModel, engine: Any, temperature: float) -> Run:
    """One of ours."""
    chosen = build(model, engine=engine, end_ids=())

    def run(prompts: list[list[int]], answer: int) -> int:
        sampling = Sampling(answer, temperature=temperature)
        requests = [Request(ids, sampling=sampling, seed=row) for row, ids in enumerate(prompts)]
        return sum(len(sample.ids) for sample in chosen.sample(requests))

    return run


def generate(model: PreTrainedModel, cache: str, temperature: float) -> Run:
    """Hugging Face's generate, which compiles by itself where the cache is static."""

    def run(prompts: list[list[int]], answer: int) -> int:
        ids = torch.tensor(prompts, device=model.device)
        out: Any = model.generate(  # type: ignore[operator]
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=temperature > 0,
            temperature=temperature or None,
            top_k=0,
            max_new_tokens=answer,
            min_new_tokens=answer,
            cache_implementation=None if cache == "dynamic" else cache,
            pad_token_id=0,
        )
        return int(out.shape[0] * (out.shape[1] - ids.shape[1]))

    return run


def random_model(shape: str, device: str) -> PreTrainedModel:
    """A published shape with random weights, built where it will be."""
    torch.manual_seed(0)
    common: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}
    with torch.device(device):
        if shape == "0.5b":  # Qwen2.5-0.5B
            config: Any = Qwen2Config(
                vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True, **common,
            )  # fmt: skip
            kind: Any = Qwen2ForCausalLM
        else:
            sizes = {
                "tiny": (512, 64, 160, 2, 4, 2, True),
                "135m": (49152, 576, 1536, 30, 9, 3, True),  # SmolLM2-135M
                "7b": (32000, 4096, 11008, 32, 32, 32, False),  # Llama-2-7B
            }
            V, width, inner, layers, heads, kv, tied = sizes[shape]
            config = LlamaConfig(
                vocab_size=V, hidden_size=width, intermediate_size=inner,
                num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv,
                max_position_embeddings=8192, tie_word_embeddings=tied, **common,
            )  # fmt: skip
            kind = LlamaForCausalLM
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        config.dtype = dtype
        torch.set_default_dtype(dtype)
        model = kind(config)
        torch.set_default_dtype(torch.float32)
    return model.eval()


def machine(device: str) -> str:
    """What it runs on."""
    name = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    return f"{name}, torch {torch.__version__}"


def synchronise(device: str) -> None:
    """Wait for the GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=["135m", "0.5b", "7b"], default="135m")
    parser.add_argument("--rows", default="64,256")
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--answer", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--skip", default="", help="of engine, plain, generate, compiled")
    parser.add_argument("--cpu", action="store_true", help="a tiny model on the CPU")
    return parser.parse_args()


if __name__ == "__main__":
    main()
