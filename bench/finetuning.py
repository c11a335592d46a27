"""How fast full fine-tuning runs, plainly and with bit-exact kernels.

    python bench/finetuning.py [--model smollm2-135m] [--length 1024] [--batch 16] [--steps 30]

Chats of random words that fill `--length` tokens, nearly all of them trained. Printed: tokens a
second, the median over the steps after the first ten, and the highest memory of the GPU.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

import torch

import luciola

WARM_UP = 10
VARIANTS: dict[str, dict[str, bool]] = {
    "plain": {},
    "deterministic": {"deterministic": True},
    "checkpointing": {"checkpointing": True},
}


def write_chats(path: Path, count: int, words: int) -> None:
    """`count` chats whose answers are `words` random short words."""
    draw = random.Random(0)
    known = ["river", "stone", "green", "walk", "seven", "light", "under", "table", "never", "cold"]
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            answer = " ".join(draw.choice(known) for _ in range(words))
            chat = [{"role": "user", "content": "Go."}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": chat}) + "\n")


def main() -> None:
    """Print a line for each variant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    options = parser.parse_args()
    for name in options.variants:
        with tempfile.TemporaryDirectory() as folder:
            chats = Path(folder, "chats.jsonl")
            write_chats(chats, options.batch * options.steps, options.length)
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            result = luciola.sft(
                model=options.model, data=str(chats), out=str(Path(folder, "run")),
                adapter="full", epochs=1, batch=options.batch, max_length=options.length,
                save_every=10**6, **VARIANTS[name],
            )  # fmt: skip
            lines = (result.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            speeds = [json.loads(line)["tokens_per_s"] for line in lines][WARM_UP:]
            memory = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0
            print(f"{name}: {statistics.median(speeds):,.0f} tok/s, {memory:.1f} GB", flush=True)


if __name__ == "__main__":
    main()
