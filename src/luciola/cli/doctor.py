"""`luciola doctor`: what is installed, what this machine can do, and what is missing for what."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

app = typer.Typer(add_completion=False)

NEEDED = ("torch", "transformers", "peft", "accelerate", "safetensors", "sqlglot")
EXTRAS = {
    "parquet": ("pyarrow", "reading Parquet files"),
    "hub": ("datasets", "data sets from a hub"),
    "quantized": ("bitsandbytes", "4-bit base models and 8-bit AdamW"),
    "tensorboard": ("tensorboard", "track=tensorboard"),
    "wandb": ("wandb", "track=wandb"),
    "trackio": ("trackio", "track=trackio"),
    "postgresql": ("psycopg", "PostgreSQL databases"),
    "mysql": ("pymysql", "MySQL and MariaDB databases"),
    "duckdb": ("duckdb", "DuckDB databases"),
    "similarity": ("sentence_transformers", "examples chosen by meaning"),
    "study": ("matplotlib", "figures of a study of prompts"),
    "tiktoken": ("tiktoken", "token budgets of OpenAI's models"),
}
"""Extra, the module that shows that it is there, and what it is for."""
GIB = 2**30


@app.command()
def doctor() -> None:
    """Say what is installed, what this machine can do, and what is missing."""
    for heading, lines in (
        ("Versions", versions()),
        ("This machine", machine()),
        ("Extras", extras()),
    ):
        print(heading)
        for line in lines:
            print(f"  {line}")


def versions() -> Iterator[str]:
    """The versions of Python, Luciola and what it always needs."""
    yield f"python {platform.python_version()} at {sys.executable}"
    for name in ("luciola", *NEEDED):
        yield f"{name} {_version(name) or 'MISSING → pip install luciola'}"


def machine() -> Iterator[str]:
    """Processor, memory, GPUs, and the precision that training chooses there."""
    yield f"{os.cpu_count()} CPU cores, {_memory()}"
    if find_spec("torch") is None:
        yield "GPUs unknown: torch is missing"
        return
    import torch

    from luciola.models.precision import computes_bfloat16

    if not torch.cuda.is_available():
        yield f"no GPU that torch {torch.__version__} can use; training runs on the CPU"
        yield f"bf16 on the CPU: {_yes(computes_bfloat16(torch.device('cpu')))}"
        return
    for index in range(torch.cuda.device_count()):
        yield _gpu(index)


def extras() -> Iterator[str]:
    """Every optional part: there, or how to get it."""
    for extra, (module, purpose) in EXTRAS.items():
        is_there = find_spec(module) is not None
        state = "installed" if is_there else f"missing → pip install 'luciola[{extra}]'"
        yield f"{extra:12} {purpose}: {state}"


def _gpu(index: int) -> str:
    import torch

    from luciola.models.precision import computes_bfloat16

    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    bf16 = _yes(computes_bfloat16(torch.device("cuda", index)))
    return (
        f"cuda:{index} {properties.name}, {total / GIB:.1f} GiB ({free / GIB:.1f} free), "
        f"compute capability {properties.major}.{properties.minor}, bf16: {bf16}"
    )


def _memory() -> str:
    """Physical memory, where the system says it."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):
        return "memory unknown"
    size, free = (os.sysconf("SC_PAGE_SIZE") * number / GIB for number in pages)
    return f"{size:.1f} GiB memory ({free:.1f} free)"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _yes(value: bool) -> str:
    return "yes" if value else "no"
