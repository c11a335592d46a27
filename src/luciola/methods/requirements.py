"""What a recipe's settings need of the machine: a GPU, a package, a compiler, half-precision
arithmetic. Asked by every run and every dry run before anything is loaded.

A setting that cannot work is refused; one that would only be slow gets a notice. Whether a model
or its data suit a setting is not asked here.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from luciola.config.training import TrainingConfig
from luciola.errors import ConfigError, LuciolaError, MissingExtraError
from luciola.models.answering import best_device
from luciola.models.precision import computes_bfloat16

log = logging.getLogger(__name__)

PACKAGES = ("bitsandbytes", "flash_attn", "triton", "tensorboard", "wandb", "trackio")
COMPILERS = {"C": ("CC", "gcc", "clang", "cc"), "C++": ("CXX", "g++", "clang++", "c++")}
"""Per language the variable that names a compiler, and the usual programs."""
EXACT_WORKSPACES = (":4096:8", ":16:8")
"""Of CUBLAS_WORKSPACE_CONFIG, those with which torch computes bit-exactly."""


@dataclass(frozen=True)
class Machine:
    """What a machine offers a run.

    Args:
        device: where the run computes: cpu or cuda.
        bfloat16, float16: whether the device has instructions for their products.
        packages: of PACKAGES, those that are installed.
        compilers: C, C++.
        workspace: CUBLAS_WORKSPACE_CONFIG of the environment; empty: not set.
    """

    device: str
    bfloat16: bool = False
    float16: bool = False
    packages: frozenset[str] = frozenset()
    compilers: frozenset[str] = frozenset()
    workspace: str = ""

    @classmethod
    def at_hand(cls, wanted: str = "auto") -> Machine:
        """This machine.

        Args:
            wanted: device as in a recipe.

        Raises: ConfigError where a GPU is wanted and there is none.
        """
        device = best_device(wanted)
        return cls(
            device.type,
            bfloat16=computes_bfloat16(device),
            float16=device.type == "cuda" or torch.cpu._is_amx_fp16_supported(),
            packages=frozenset(name for name in PACKAGES if find_spec(name)),
            compilers=frozenset(language for language in COMPILERS if _has_compiler(language)),
            workspace=os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        )


def _has_compiler(language: str) -> bool:
    variable, *usual = COMPILERS[language]
    named = os.environ.get(variable, "").split()
    return any(map(shutil.which, named[:1] or usual))


Problem = Callable[[Machine, TrainingConfig], LuciolaError | None]


@dataclass(frozen=True)
class Requirement:
    """What one setting needs, in the order in which it is asked.

    Args:
        asked: the setting as the recipe has it, `quantize=nf4`; empty where it asks for nothing.
        gpu: it needs a CUDA GPU.
        package: and this package on every device, from the extra of Luciola of that name.
        extra: empty: the package is none of Luciola's extras.
        instead: what to do otherwise.
        further: what else may be in the way.
    """

    asked: Callable[[TrainingConfig], str]
    instead: str
    gpu: bool = False
    package: str = ""
    extra: str = ""
    further: Problem | None = None

    def problem(self, machine: Machine, config: TrainingConfig) -> LuciolaError | None:
        """What keeps the setting from working on a machine; None: nothing, or it is not used."""
        setting = self.asked(config)
        if not setting:
            return None
        if self.gpu and machine.device != "cuda":
            message = f"{setting} needs a CUDA GPU, and none is used here"
            return ConfigError(message, remedy=self.instead)
        if self.package and self.package not in machine.packages:
            return self._not_installed(setting)
        return self.further(machine, config) if self.further else None

    def _not_installed(self, setting: str) -> LuciolaError:
        if self.extra:
            return MissingExtraError(self.package, extra=self.extra, purpose=setting)
        name = self.package.replace("_", "-")
        return ConfigError(
            f"{setting} needs the package {name!r}, which is not installed",
            remedy=f"pip install {name}; or: {self.instead[0].lower()}{self.instead[1:]}",
        )


def _value(name: str, *values: object) -> Callable[[TrainingConfig], str]:
    """`name=value` where the recipe's value is one of these."""

    def asked(config: TrainingConfig) -> str:
        value = getattr(config, name)
        shown = str(value).lower() if isinstance(value, bool) else value
        return f"{name}={shown}" if value in values else ""

    return asked


def _few_bits(config: TrainingConfig) -> str:
    if config.quantisation == "none":
        return ""
    return "adapter=qlora" if config.adapter == "qlora" else f"quantize={config.quantize}"


def _tracker(name: str) -> Callable[[TrainingConfig], str]:
    return lambda config: f"track={name}" if name in config.track else ""


def _flash(machine: Machine, config: TrainingConfig) -> LuciolaError | None:
    """Its kernels take 16-bit numbers alone, and are written for Ampere and later."""
    if not machine.bfloat16:
        return ConfigError(
            "attention=flash_attention_2 needs a GPU of the Ampere generation (A100, RTX 30) or "
            "later",
            remedy="Leave attention=auto.",
        )
    if config.precision == "fp32":
        return ConfigError(
            "attention=flash_attention_2 computes in 16 bits, and precision=fp32 asks for 32",
            remedy="Take precision=bf16, or leave attention=auto.",
        )
    return None


def _compiler(machine: Machine, config: TrainingConfig) -> LuciolaError | None:
    """torch.compile writes C++ for a CPU; for a GPU Triton code, whose launcher is C."""
    gpu = machine.device == "cuda"
    if gpu and "triton" not in machine.packages:
        return ConfigError(
            "compile=true needs the package 'triton', which is not installed",
            remedy="pip install triton, or leave compile=false.",
        )
    language = "C" if gpu else "C++"
    if language in machine.compilers:
        return None
    variable, program, *_ = COMPILERS[language]
    return ConfigError(
        f"compile=true needs a {language} compiler, and there is none here",
        remedy=f"Install {program}, name yours in the variable {variable}, or leave compile=false.",
    )


def _workspace(machine: Machine, config: TrainingConfig) -> LuciolaError | None:
    if machine.device != "cuda" or machine.workspace in ("", *EXACT_WORKSPACES):
        return None
    return ConfigError(
        f"deterministic=true cannot be kept with CUBLAS_WORKSPACE_CONFIG={machine.workspace}",
        remedy=f"Unset the variable, or set it to {EXACT_WORKSPACES[0]}.",
    )


REQUIREMENTS = (
    Requirement(
        _few_bits,
        "Take adapter=lora quantize=none, or run it on a machine with a GPU.",
        gpu=True,
        package="bitsandbytes",
        extra="quantized",
    ),
    Requirement(
        _value("optimizer", "adamw8bit"),
        "Take optimizer=adamw.",
        gpu=True,
        package="bitsandbytes",
        extra="quantized",
    ),
    Requirement(
        _value("attention", "flash_attention_2"),
        "Leave attention=auto.",
        gpu=True,
        package="flash_attn",
        further=_flash,
    ),
    Requirement(  # it has no backward pass on a CPU
        _value("attention", "flex_attention"), "Leave attention=auto.", gpu=True, package="triton"
    ),
    Requirement(_value("compile", True), "Leave compile=false.", further=_compiler),
    Requirement(_value("deterministic", True), "Leave deterministic=false.", further=_workspace),
    *(
        Requirement(_tracker(name), "Leave track empty.", package=name, extra=name)
        for name in ("tensorboard", "wandb", "trackio")
    ),
)


def problems(machine: Machine, config: TrainingConfig) -> list[LuciolaError]:
    """All that keeps a recipe from working on a machine."""
    found = (requirement.problem(machine, config) for requirement in REQUIREMENTS)
    return [problem for problem in found if problem is not None]


def slow_precision(machine: Machine, config: TrainingConfig) -> str:
    """A notice where the recipe's numbers have no instructions on the machine; else empty."""
    has = {"bf16": machine.bfloat16, "fp16": machine.float16}.get(config.precision, True)
    if has:
        return ""
    gpu = machine.device == "cuda"
    better = "precision=fp16" if gpu else "precision=fp32"
    return (
        f"precision={config.precision}: this {'GPU' if gpu else 'CPU'} has no instructions for it "
        f"and computes it slowly; {better} is faster here"
    )


def check_machine(config: TrainingConfig) -> None:
    """Refuse at once what cannot work on this machine, and tell what would be slow.

    Raises: ConfigError or MissingExtraError for the first setting of the recipe that cannot.
    """
    machine = Machine.at_hand(config.device)
    for problem in problems(machine, config):
        raise problem
    notice = slow_precision(machine, config)
    if notice and os.environ.get("RANK", "0") == "0":
        log.warning("%s", notice)
