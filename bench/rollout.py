"""How fast the sampler answers: questions behind a common prefix, in one precision and batch size.

    python bench/rollout.py --model smollm2-135m --dtype bfloat16 --batch 64 --rows 80

Prompts are random tokens and no end token counts, so every answer has its full length. `--model
random` builds SmolLM2-135M's shape with random weights, for machines without the model. CPU seconds
are this process's own, which on a busy machine say more than the clock.
"""

from __future__ import annotations

import argparse
import random
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sampling


def main() -> None:
    """Measure, and print one line per repetition."""
    arguments = parse()
    model = build(arguments)
    requests = build_requests(arguments)
    for _ in range(arguments.repeat):
        sampler = NaiveSampler(model, end_ids=(), batch=arguments.batch, stride=arguments.stride)
        began, began_cpu = time.perf_counter(), time.process_time()
        samples = sampler.sample(requests)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        tokens = sum(len(sample.ids) for sample in samples)
        print(
            f"{arguments.dtype} batch {sampler.batch}: {tokens} tokens in {wall_s:.2f} s "
            f"({tokens / wall_s:,.0f}/s), {cpu_s:.2f} CPU s",
            flush=True,
        )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--stride", type=int)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--schemas", type=int, default=1, help="different prefixes")
    parser.add_argument("--prefix", type=int, default=200)
    parser.add_argument("--question", type=int, default=30)
    parser.add_argument("--answer", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--repeat", type=int, default=2)
    return parser.parse_args()


def build(arguments: argparse.Namespace) -> PreTrainedModel:
    """The model, or its shape."""
    dtype = getattr(torch, arguments.dtype)
    if arguments.model != "random":
        from luciola.models.load import load_model

        return load_model(arguments.model, dtype=dtype, device=arguments.device)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).to(arguments.device, dtype).eval()


def build_requests(arguments: argparse.Namespace) -> list[Request]:
    """Questions of about the given length, spread evenly over the schemas."""
    dice = random.Random(0)

    def some(number: int) -> list[int]:
        return [dice.randrange(3, 49000) for _ in range(number)]

    schemas = [some(arguments.prefix) for _ in range(arguments.schemas)]
    sampling = Sampling(arguments.answer, temperature=arguments.temperature)
    spread = arguments.question // 4
    return [
        Request(
            schemas[row % arguments.schemas]
            + some(dice.randint(arguments.question - spread, arguments.question + spread)),
            sampling=sampling,
            seed=row,
        )
        for row in range(arguments.rows)
    ]


if __name__ == "__main__":
    main()
