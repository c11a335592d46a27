"""Settings that every training recipe shares: model, adapters, steps, optimizer, run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from luciola.config.ranges import (
    Count,
    CountOrZero,
    NotNegative,
    Positive,
    SettingError,
    Share,
    ShareBelowOne,
    check_ranges,
)

Adapter = Literal[
    "full",
    "lora",
    "qlora",
    "dora",
    "rslora",
    "pissa",
    "ia3",
    "prefix",
    "prompt",
    "ptuning",
    "houlsby",
    "pfeiffer",
    "freeze",
]
"""What to train."""
LOW_RANK = ("lora", "qlora", "dora", "rslora", "pissa")
VIRTUAL = ("prefix", "prompt", "ptuning")
BOTTLENECKS = ("houlsby", "pfeiffer")


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters (Hu et al. 2021) on the linear layers."""

    r: Count = 16
    """Rank of the update."""
    alpha: Positive = 32.0
    """The update is scaled by alpha / r."""
    dropout: ShareBelowOne = 0.0
    """Share of the adapter's inputs that are zeroed during training."""
    targets: tuple[str, ...] = ()
    """Layers that get an adapter; empty: every linear layer except the output head."""


@dataclass(frozen=True)
class BottleneckSettings:
    """Bottleneck adapters inside each layer (adapter=houlsby or pfeiffer)."""

    reduction: Count = 16
    """The bottleneck's width is the hidden size divided by this."""
    nonlinearity: Literal["relu", "gelu", "swish"] = "relu"
    """Activation between the down and up projections."""


@dataclass(frozen=True)
class VirtualTokens:
    """Trained virtual tokens before the text (adapter=prefix, prompt or ptuning)."""

    count: Count = 20
    """Number of virtual tokens; they use up part of the context."""
    hidden: Count = 128
    """Width of p-tuning's encoder and of the prefix projection."""
    project: bool = False
    """Compute prefixes with a two-layer network during training."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained, for every method; each recipe adds its data."""

    model: str
    """Hub id, folder, GGUF file, or the name of a bundled model (smollm2-135m)."""
    trust_remote_code: bool = False
    """Run the Python code that comes with the model; read that code first."""
    out: str = ""
    """Folder of the run; empty: a readable name below runs/."""

    adapter: Adapter = "lora"
    """What to train: every weight (full), the last layers (freeze), or this kind of adapter."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    """Settings for lora, qlora, dora, rslora and pissa; targets also applies to ia3."""
    bottleneck: BottleneckSettings = field(default_factory=BottleneckSettings)
    """Settings for houlsby and pfeiffer."""
    virtual: VirtualTokens = field(default_factory=VirtualTokens)
    """Settings for prefix, prompt and ptuning."""
    freeze_layers: Count = 2
    """With adapter=freeze: number of last layers to train."""
    new_tokens: tuple[str, ...] = ()
    """Words to add as special tokens; their embeddings are trained and saved too."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flex_attention"] = "auto"
    """Attention function; auto: one that keeps packed examples apart where the model allows it."""
    quantize: Literal["none", "nf4", "int8"] = "none"
    """How frozen weights are stored on a GPU (qlora: nf4)."""

    max_length: Count = 1024
    """Tokens per example; longer ones are cut at the end, with a notice."""
    max_cut: Share = 0.8
    """Refuse to train if max_length cuts or drops more than this share of the data; 1: never."""
    packing: Literal["auto", "padded", "packed", "tree"] = "auto"
    """Row layout: padded, packed side by side, or a tree of branches that share a prefix."""

    epochs: Positive = 3.0
    """Passes over the data."""
    max_steps: CountOrZero = 0
    """Stop after this many optimizer steps; 0: epochs decides."""
    batch: Count = 16
    """Examples per optimizer step, over all processes."""
    micro_tokens: CountOrZero = 0
    """Tokens per forward pass; changes memory and speed, never the result. 0: chosen for the
    device."""

    lr: NotNegative = 2e-4
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate changes after the warm-up."""
    warmup: NotNegative = 0.03
    """Linear warm-up in steps; below 1: as a share of all steps."""
    min_lr: Share = 0.0
    """Final learning rate, as a share of lr."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """adamw (fused where possible) or adamw8bit (8-bit states, needs bitsandbytes)."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay, applied to matrices only."""
    betas: tuple[ShareBelowOne, ShareBelowOne] = (0.9, 0.999)
    """AdamW's decay rates."""
    max_grad_norm: NotNegative = 1.0
    """Clip the gradient to this norm; 0: no clipping."""
    ema: ShareBelowOne = 0.0
    """Decay of an exponential moving average of the weights, which is saved instead; 0: off."""
    neftune_alpha: NotNegative = 0.0
    """NEFTune noise on the embeddings (Jain et al. 2023); 5 is common, 0 is off."""

    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Precision of the forward pass; auto: bf16 where the device supports it, else fp32."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third slower."""
    compile: bool = False
    """Compile the decoder layers with torch.compile."""
    deterministic: bool = False
    """Use bit-exact GPU kernels, so that a resumed run equals an uninterrupted one bit for bit."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device to run on; auto: the GPU if there is one."""
    seed: CountOrZero = 0
    """Seed for everything random in the run."""

    eval_every: CountOrZero = 0
    """Steps between evaluations; 0: once per epoch."""
    patience: CountOrZero = 0
    """Stop after this many evaluations without improvement; 0: never."""
    save_every: CountOrZero = 0
    """Steps between checkpoints; 0: ten over the run."""
    keep: Count = 1
    """Number of checkpoints to keep, besides the best by evaluation loss."""
    track: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    """Trackers that also get the metrics. Nothing leaves the machine unless you ask for it."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.model:
            raise SettingError(("model",), "must not be empty")
        _check_adapter(self)

    @property
    def quantisation(self) -> Literal["none", "nf4", "int8"]:
        """How frozen weights are stored; always nf4 with qlora."""
        return "nf4" if self.adapter == "qlora" else self.quantize


def _check_adapter(config: TrainingConfig) -> None:
    """Raises: SettingError for settings that a kind of adapter cannot have."""
    kind = config.adapter
    if config.new_tokens and kind not in (*LOW_RANK, "full"):
        raise SettingError(
            ("new_tokens",),
            f"cannot be trained with adapter={kind}, which leaves the embeddings alone",
            remedy="Take adapter=lora, another low-rank kind, or full.",
        )
    if kind in VIRTUAL and config.packing in ("packed", "tree"):
        raise SettingError(
            ("packing",),
            f"must be padded with adapter={kind}, got {config.packing}: its tokens stand before "
            "the text of each row",
            remedy="Leave packing=auto.",
        )
    if kind == "prefix" and config.checkpointing:
        raise SettingError(
            ("checkpointing",),
            "must be off with adapter=prefix: the prefix is a cache, which is not recomputed",
            remedy="Leave it off, or take adapter=prompt or ptuning.",
        )
    if kind == "pissa" and config.weight_decay:
        raise SettingError(
            ("weight_decay",),
            "must be 0 with adapter=pissa: half of its matrices stand for the start and stay",
        )
    if kind in ("full", "freeze") and config.quantize != "none":
        raise SettingError(
            ("quantize",),
            f"must be none with adapter={kind}, got {config.quantize}: what is trained cannot be "
            "kept in few bits",
            remedy="Take adapter=qlora, or another kind of adapter.",
        )
    if (kind == "pissa" and config.quantize != "none") or (
        kind == "qlora" and config.quantize == "int8"
    ):
        raise SettingError(
            ("quantize",),
            f"cannot be {config.quantize} with adapter={kind}",
            remedy="For eight bits take adapter=lora quantize=int8.",
        )
