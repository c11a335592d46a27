"""The parts of a checkout of CarperAI/trlx that reference values are recorded from.

Recorded with trlx 3340c2f (January 2024), torch 2.13.0, transformers 4.46.3, Python 3.11, CPU. trlx
imports programs that these values do not need (deepspeed, ray, torchtyping, peft); empty modules
stand in for them.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock


class Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for modules that trlx imports and these values do not use."""

    NAMES = ("deepspeed", "ray", "torchtyping", "wandb", "peft")

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.partition(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> ModuleType:
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__ = [], spec
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


def load(folder: Path) -> SimpleNamespace:
    """The parts of trlx that are run here, without its `__init__`, which loads every trainer."""
    sys.meta_path.insert(0, Stand())
    for name in ("trlx", "trlx.models", "trlx.trainer"):
        package = ModuleType(name)
        package.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = package
    sys.modules["trlx.trainer"].register_trainer = lambda cls: cls  # type: ignore[attr-defined]
    base = ModuleType("trlx.trainer.accelerate_base_trainer")
    base.AccelerateRLTrainer = object  # type: ignore[attr-defined]
    sys.modules[base.__name__] = base
    sys.path.insert(0, str(folder / "examples" / "randomwalks"))
    return SimpleNamespace(
        ppo=importlib.import_module("trlx.models.modeling_ppo"),
        ilql=importlib.import_module("trlx.models.modeling_ilql"),
        modeling=importlib.import_module("trlx.utils.modeling"),
        data=importlib.import_module("trlx.pipeline.offline_pipeline"),
        types=importlib.import_module("trlx.data.ilql_types"),
        trainer=importlib.import_module("trlx.trainer.accelerate_ilql_trainer"),
        walks=importlib.import_module("randomwalks"),
    )
