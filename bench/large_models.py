"""Steps of fine-tuning large shapes on this machine's GPU: seconds, tokens a second, peak memory.

    PYTHONPATH=src python bench/large_models.py [NAME,MICRO_BATCH,LENGTH ...]

Weights are random and, for NF4, quantised one layer after the other on the GPU, so that neither the
host's memory nor the GPU's ever holds the whole model in 16 bits. A step is what the trainer does:
micro-batches through the loss, gradients clipped, AdamW. Needs bitsandbytes.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from luciola.config.sft import SftConfig
from luciola.config.training import LoraConfig
from luciola.memory import attention as simulated
from luciola.methods.rehearsal import losses_of, roles_of
from luciola.models.attention import NAME, register
from luciola.models.batch import Batch, Layout
from luciola.training.optimizer import build_optimizer
from luciola.training.world import grow_segments
from memory import DATA, SHAPES, ShapePlanner

WARM, MEASURED = 1, 3


@dataclass(frozen=True)
class Case:
    """A shape, rows of a micro-batch, and tokens of a row."""

    shape: str
    rows: int
    length: int


CASES = (
    Case("70B", 1, 1024), Case("70B", 4, 1024), Case("70B", 8, 1024),
    Case("14B", 16, 1024), Case("13B", 16, 1024), Case("7B", 16, 1024),
)  # fmt: skip


def batch_of(case: Case) -> Batch:
    """Rows packed into one flat row, each token trained."""
    tokens = case.rows * case.length
    device = torch.get_default_device()
    places = torch.arange(tokens)
    return Batch(
        ids=torch.randint(0, 32000, (1, tokens)),
        positions=(places % case.length)[None],
        mask=None,
        layout=Layout.of((case.length,) * case.rows, (-1,) * case.rows, device),
        rows=torch.zeros_like(places),
        columns=places,
        labels=torch.randint(0, 32000, (tokens,)),
        num_tokens=tokens,
    )


def step(roles: nn.Module, optimizer: Any, batch: Batch, loss: Any) -> float:
    """Seconds of one step."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    (loss(roles, batch) / len(batch.labels)).backward()
    nn.utils.clip_grad_norm_([p for p in roles.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    torch.cuda.synchronize()
    return time.perf_counter() - began


def run(case: Case) -> dict[str, Any]:
    """Build the shape in NF4 with LoRA of rank 16, and time steps."""
    config = SftConfig(
        model=case.shape, data=DATA, adapter="qlora", checkpointing=True, lora=LoraConfig(r=16)
    )
    tokens = case.rows * case.length
    planner = ShapePlanner(config)
    planner.shape = SHAPES[case.shape]
    planner.__dict__["model"] = planner.build("meta", simulated.NAME)
    predicted = planner.forecast(tokens, accumulates=False).of_phase("update")
    began = time.perf_counter()
    model = planner.build("cuda", NAME)
    built = time.perf_counter() - began
    peak_building = torch.cuda.max_memory_allocated()
    with torch.device("cuda"):
        roles = roles_of(config, model, autocast=True).to("cuda")
        batch = batch_of(case)
    trained = {n: p for n, p in roles.named_parameters() if p.requires_grad}
    optimizer = build_optimizer(
        trained, kind="adamw", lr=1e-4, betas=config.betas, weight_decay=0.0
    )
    loss = losses_of(config)["update"]
    torch.cuda.reset_peak_memory_stats()
    seconds = [step(roles, optimizer, batch, loss) for _ in range(WARM + MEASURED)][WARM:]
    middle = statistics.median(seconds)
    free, total = torch.cuda.mem_get_info()
    return {
        "shape": case.shape,
        "rows": case.rows,
        "length": case.length,
        "parameters": sum(p.numel() for p in planner.model.parameters()),
        "trained": sum(p.numel() for p in trained.values()),
        "building_s": round(built, 1),
        "peak_building_gib": round(peak_building / 2**30, 2),
        "step_s": round(middle, 3),
        "tokens_per_s": round(tokens / middle),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "reserved_gib": round(torch.cuda.max_memory_reserved() / 2**30, 2),
        "card_gib": round((total - free) / 2**30, 2),
        "predicted_gib": round(predicted / 2**30, 2),
    }


def main() -> None:
    """Every case that was asked for; all where none was."""
    grow_segments()
    register()
    simulated.register()
    print(torch.__version__, torch.cuda.get_device_name(), flush=True)
    asked = [word.split(",") for word in sys.argv[1:]]
    cases = [Case(name, int(rows), int(length)) for name, rows, length in asked] or CASES
    for case in cases:
        try:
            print(json.dumps(run(case)), flush=True)
        except Exception:
            traceback.print_exc()
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    main()
