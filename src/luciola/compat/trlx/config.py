"""TRLConfig: sections, dotted updates, and the default configurations of trlx.

A misspelt key is an error at every depth; trlx dropped nested ones in silence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from luciola.compat.trlx.sections import (
    METHODS,
    ILQLConfig,
    Method,
    ModelConfig,
    OptimizerConfig,
    PPOConfig,
    SchedulerConfig,
    SFTConfig,
    TokenizerConfig,
    TrainConfig,
)
from luciola.errors import ConfigError

Tree = dict[str, Any]


@dataclass(frozen=True)
class TRLConfig:
    """A whole configuration; its sections are those of trlx."""

    method: Method
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> TRLConfig:
        """From nested mappings; `method.name` says which method it is.

        Raises: ConfigError naming an unknown key at any depth.
        """
        name = config.get("method", {}).get("name", "")
        method = next((m for n, m in METHODS.items() if n.lower() == str(name).lower()), None)
        if method is None:
            raise ConfigError(f"TRLConfig: method.name is {name!r}, not {', '.join(METHODS)}")
        known = {f.name: _section(f, method) for f in dataclasses.fields(cls)}
        sections = {}
        for key, values in config.items():
            _check_key(key, known, "")
            if not isinstance(values, Mapping):
                raise ConfigError(f"TRLConfig: {key} must be a mapping, got {values!r:.60}")
            for inner in values:
                _check_key(inner, {f.name for f in dataclasses.fields(known[key])}, f"{key}.")
            sections[key] = known[key](**values)
        return cls(**sections)

    @classmethod
    def load_yaml(cls, yml_fp: str | Path) -> TRLConfig:
        """From a YAML file of the sections.

        Raises: ConfigError for a file that cannot be read, or an unknown key.
        """
        import yaml

        try:
            found = yaml.safe_load(Path(yml_fp).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{yml_fp} cannot be read ({str(error).splitlines()[0]})") from error
        if not isinstance(found, Mapping) or not isinstance(found.get("method"), Mapping):
            raise ConfigError(f"{yml_fp} has no section 'method', so it is no TRLConfig")
        return cls.from_dict(found)

    @classmethod
    def update(
        cls, baseconfig: Mapping[str, Any] | TRLConfig, config: Mapping[str, Any]
    ) -> TRLConfig:
        """`baseconfig` with dotted (`{"method.gamma": 0.9}`) or nested changes.

        Raises: ConfigError naming an unknown key at any depth.
        """
        base = baseconfig.to_dict() if isinstance(baseconfig, TRLConfig) else dict(baseconfig)
        for key, value in config.items():
            base = _merged(base, _nested(key.split("."), value))
        return cls.from_dict(base)

    def evolve(self, **changes: Any) -> TRLConfig:
        """This configuration with nested changes: `evolve(method={"gamma": 0.9})`."""
        return TRLConfig.update(self, changes)

    def to_dict(self) -> Tree:
        """Nested plain values."""
        return {
            section.name: {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
            for section in dataclasses.fields(self)
            for part in (getattr(self, section.name),)
        }


def default_ppo_config() -> TRLConfig:
    """trlx's defaults of PPO, but every layer is trained (there: the upper two)."""
    return TRLConfig(
        method=PPOConfig(),
        model=ModelConfig("lvwerra/gpt2-imdb"),
        train=TrainConfig(total_steps=10000, seq_length=1024, epochs=100, batch_size=32),
    )


def default_ilql_config() -> TRLConfig:
    """trlx's defaults of ILQL."""
    rate = {"lr": 5e-5, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 1e-6}
    return TRLConfig(
        method=ILQLConfig(),
        model=ModelConfig("gpt2"),
        optimizer=OptimizerConfig(kwargs=rate),
        scheduler=SchedulerConfig(kwargs={"T_max": 1e12, "eta_min": 5e-5}),
        train=TrainConfig(total_steps=1000, seq_length=64, epochs=100, batch_size=128),
    )


def default_sft_config() -> TRLConfig:
    """trlx's defaults of fine-tuning."""
    rate = {"lr": 1e-4, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 1e-6}
    return TRLConfig(
        method=SFTConfig(),
        model=ModelConfig("gpt2"),
        optimizer=OptimizerConfig(kwargs=rate),
        scheduler=SchedulerConfig(kwargs={"T_max": 1e12, "eta_min": 1e-4}),
        train=TrainConfig(total_steps=1000, seq_length=1024, epochs=100, batch_size=8),
    )


def _section(item: dataclasses.Field[Any], method: type[Method]) -> type[Any]:
    if item.name == "method":
        return method
    made: Any = item.default_factory
    return type(made())


def _check_key(key: str, known: Any, before: str) -> None:
    if key in known:
        return
    near = get_close_matches(key, known, n=1)
    raise ConfigError(
        f"TRLConfig: unknown setting '{before}{key}'",
        remedy=f"Did you mean {before}{near[0]}?" if near else f"There is {', '.join(known)}.",
    )


def _nested(path: list[str], value: Any) -> Tree:
    for name in reversed(path):
        value = {name: value}
    return dict(value)


def _merged(base: Tree, changes: Tree) -> Tree:
    """`base` with `changes` laid over it; mappings are merged, anything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(dict(merged[key]), dict(value)) if both else value
    return merged
