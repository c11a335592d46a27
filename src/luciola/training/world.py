"""The processes of a run, through accelerate: one, or many under torchrun or accelerate launch."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from luciola.errors import ConfigError
from luciola.training.method import Term

ONE_ON_CPU = (
    "accelerate launch has started one process; several on a CPU are started by: "
    "ACCELERATE_USE_CPU=true torchrun --nproc_per_node N -m luciola …"
)
LAUNCHED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What a launcher sets beside WORLD_SIZE."""

BUCKET = 16 * 2**20
"""Numbers sent to the other processes at once."""

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")


def grow_segments() -> None:
    """Let the GPU's allocator grow the pieces that it has taken, unless the environment says how it
    should work: micro-batches of many sizes otherwise leave holes, of up to a quarter of the card.
    """
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ and "PYTORCH_ALLOC_CONF" not in os.environ:
        torch._C._accelerator_setAllocatorSettings("expandable_segments:True")  # type: ignore[attr-defined, unused-ignore]


class World:
    """Who this process is, and sums over all of them.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises: ConfigError if a GPU is asked for and there is none, or if the environment speaks of
        other processes that no launcher has started.
    """

    def __init__(self, device: str = "auto") -> None:
        from accelerate import Accelerator

        if device == "cuda" and not torch.cuda.is_available():
            raise ConfigError(
                "device=cuda, but torch sees no GPU here",
                remedy="Leave device=auto, or look at `luciola doctor`.",
            )
        check_launch(os.environ)
        if device != "cpu" and torch.cuda.is_available():
            grow_segments()
            torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape of a batch
        self.accelerator = Accelerator(cpu=device == "cpu" or not torch.cuda.is_available())
        self.rank: int = self.accelerator.process_index
        self.size: int = self.accelerator.num_processes
        self.device: torch.device = self.accelerator.device
        if self.size > 1:
            _die_with_the_launcher()
        if self.size > 1 and self.device.type == "cpu":
            atexit.register(_leave)

    @property
    def is_main(self) -> bool:
        """True in the one process that prints and writes."""
        return self.rank == 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the processes."""
        on_cpu = self.device.type == "cpu"
        if self.size == 1 and on_cpu and "ACCELERATE_MIXED_PRECISION" in os.environ:
            return (ONE_ON_CPU,)
        return ()

    def prepare(self, module: M) -> M:
        """Move the run's one module to its device and wrap it for its processes."""
        return self.accelerator.prepare(module)

    def unwrap(self, module: nn.Module) -> nn.Module:
        """The module as it was before `prepare`."""
        return self.accelerator.unwrap_model(module)

    def total(self, weights: Iterable[Mapping[str, float]]) -> dict[str, float]:
        """Sums of each weight over micro-batches and processes."""
        sums: dict[str, float] = {}
        for mapping in weights:
            for name, value in mapping.items():
                sums[name] = sums.get(name, 0.0) + value
        return self._reduced(sums)

    def means(
        self,
        sums: Mapping[str, Term],
        totals: Mapping[str, float],
        beside: Mapping[str, Tensor] | None = None,
    ) -> dict[str, float]:
        """Each term's sum over all processes, divided by its weight's total; "loss" is the
        objective.

        Args:
            beside: scalars that are the same in every process, read from the device together with
                the sums: each reading waits for all that the device has still to do.
        """
        names, beside = list(sums), beside or {}
        values = torch.stack([sums[name].sum.detach().double() for name in names])
        if self.size > 1:
            values = self.accelerator.reduce(values, "sum")
        more = [value.detach().double().to(values.device) for value in beside.values()]
        read = torch.cat([values, *(value.reshape(1) for value in more)]).tolist()
        divided = {
            name: value / max(totals[sums[name].per], 1.0)
            for name, value in zip(names, read[: len(names)], strict=True)
        }
        loss = sum(sums[n].scale * v for n, v in divided.items())
        return {"loss": loss, **divided, **dict(zip(beside, read[len(names) :], strict=True))}

    def _reduced(self, sums: dict[str, float]) -> dict[str, float]:
        if self.size == 1:
            return sums
        names = sorted(sums)
        values = torch.tensor([sums[n] for n in names], dtype=torch.float64, device=self.device)
        return dict(zip(names, self.accelerator.reduce(values, "sum").tolist(), strict=True))

    def backward(self, objective: Tensor) -> None:
        """Gradients of this process's share; scaled, since the wrapper averages over processes."""
        self.accelerator.backward(objective * self.size)

    def synchronised(self, module: nn.Module, *, last: bool) -> AbstractContextManager[None]:
        """Exchange gradients at the last micro-batch only; under DDP never, see `exchange`."""
        if self.size == 1 or (last and not _keeps_whole_gradients(module)):
            return nullcontext()
        return self.accelerator.no_sync(module)

    @torch.no_grad()
    def exchange(self, module: nn.Module) -> None:
        """Average the gradients over the processes, where the backward pass has not done so.

        Under DDP that comes after the passes, and not during the last: a process whose memory runs
        out in it would leave the others waiting.
        """
        if self.size == 1 or not _keeps_whole_gradients(module):
            return
        found = [p.grad for p in module.parameters() if p.grad is not None]
        for bucket in _buckets(found):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            torch.distributed.all_reduce(flat)
            pieces = (flat / self.size).split([gradient.numel() for gradient in bucket])
            for gradient, piece in zip(bucket, pieces, strict=True):
                gradient.copy_(piece.view_as(gradient))

    def gather(self, items: Sequence[T]) -> list[T]:
        """The items of all processes, by rank, in every process."""
        if self.size == 1:
            return list(items)
        from accelerate.utils import gather_object

        return list(gather_object(list(items)))

    def any(self, flag: bool) -> bool:
        """True where any process says so."""
        return bool(self._reduced({"flag": float(flag)})["flag"])

    def largest(self, value: int | None) -> int | None:
        """The largest value of any process; None where none has one."""
        return max((v for v in self.gather([value]) if v is not None), default=None)

    def wait(self) -> None:
        """Until every process is here."""
        self.accelerator.wait_for_everyone()


def _keeps_whole_gradients(module: nn.Module) -> bool:
    """Whether each process has a whole copy of the module, as DDP gives it."""
    return isinstance(module, torch.nn.parallel.DistributedDataParallel)


def _buckets(gradients: Sequence[Tensor]) -> list[list[Tensor]]:
    """Gradients of one type side by side, in parts of about BUCKET numbers."""
    buckets: list[list[Tensor]] = []
    room = 0
    for gradient in gradients:
        if not buckets or room < gradient.numel() or buckets[-1][0].dtype != gradient.dtype:
            buckets.append([])
            room = BUCKET
        buckets[-1].append(gradient)
        room -= gradient.numel()
    return buckets


def check_launch(environment: Mapping[str, str]) -> None:
    """Raises: ConfigError where WORLD_SIZE promises processes that cannot find each other: waiting
    for them would hang, and training alone would not be what was asked for.
    """
    size = environment.get("WORLD_SIZE", "1")
    missing = [name for name in LAUNCHED if name not in environment]
    if size != "1" and missing:
        raise ConfigError(
            f"WORLD_SIZE={size} is set, but {', '.join(missing)} not: no launcher started this",
            remedy=f"Start it with `torchrun --nproc_per_node {size} -m luciola …`, "
            "or unset WORLD_SIZE to train in one process.",
        )


def _leave() -> None:
    """End the threads between CPU processes: one that is left when the interpreter goes can abort
    the process, and a run that has finished would look failed.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _die_with_the_launcher() -> None:
    """A killed launcher must not leave its children training: they look whether it is still
    there.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="launcher-watch").start()
