"""What every training recipe has: the model, the adapters, the steps, the optimizer, the run."""

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
"""What is trained."""
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
    """Share of the adapter's inputs set to zero while training."""
    targets: tuple[str, ...] = ()
    """Names of the layers that get an adapter; empty: every linear layer except the output head."""


@dataclass(frozen=True)
class BottleneckSettings:
    """Adapters behind parts of each layer (adapter=houlsby or pfeiffer)."""

    reduction: Count = 16
    """The bottleneck is the states' width divided by this."""
    nonlinearity: Literal["relu", "gelu", "swish"] = "relu"
    """Between the way down and the way up."""


@dataclass(frozen=True)
class VirtualTokens:
    """Trained tokens before the text (adapter=prefix, prompt or ptuning)."""

    count: Count = 20
    """How many; they take room of the context."""
    hidden: Count = 128
    """Width of p-tuning's encoder, and of the projection of prefixes."""
    project: bool = False
    """Prefixes come out of a two-layer network while they are trained."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained, whatever the method; recipes add where the data come from."""

    model: str
    """Hub id, folder, GGUF file, or the name of a bundled model (smollm2-135m)."""
    trust_remote_code: bool = False
    """Run the Python code that comes with the model; read it first."""
    out: str = ""
    """Folder of the run; empty: a readable name under runs/."""

    adapter: Adapter = "lora"
    """What is trained: every weight, the last layers (freeze), or an adapter of this kind."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    """Settings of lora, qlora, dora, rslora and pissa; its targets also of ia3."""
    bottleneck: BottleneckSettings = field(default_factory=BottleneckSettings)
    """Settings of houlsby and pfeiffer."""
    virtual: VirtualTokens = field(default_factory=VirtualTokens)
    """Settings of prefix, prompt and ptuning."""
    freeze_layers: Count = 2
    """With adapter=freeze: how many of the last layers are trained."""
    new_tokens: tuple[str, ...] = ()
    """Words that become special tokens, trained and saved besides."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flex_attention"] = "auto"
    """Attention function; auto: one that keeps packed examples apart, where the family can."""
    quantize: Literal["none", "nf4", "int8"] = "none"
    """How a GPU keeps frozen weights (qlora: nf4)."""

    max_length: Count = 1024
    """Tokens per example; what is longer is cut at the end, with a notice."""
    packing: Literal["auto", "padded", "packed", "tree"] = "auto"
    """How examples share a row: padded, packed side by side, or as branches of one prefix."""

    epochs: Positive = 3.0
    """Passes over the data."""
    max_steps: CountOrZero = 0
    """Stop after this many optimizer steps; 0: after epochs."""
    batch: Count = 16
    """Examples per optimizer step, over all processes."""
    micro_tokens: CountOrZero = 0
    """Tokens per forward pass; changes memory and speed, never the result. 0: by the device."""

    lr: NotNegative = 2e-4
    """Highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """What the learning rate does after the warm-up."""
    warmup: NotNegative = 0.03
    """Steps of linear warm-up; below 1: share of all steps."""
    min_lr: Share = 0.0
    """Learning rate at the end, as a share of lr."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """adamw (fused where it can be), or 8-bit states through bitsandbytes."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay on matrices."""
    betas: tuple[ShareBelowOne, ShareBelowOne] = (0.9, 0.999)
    """AdamW's decay rates."""
    max_grad_norm: NotNegative = 1.0
    """The gradient is scaled down to this norm; 0: never."""
    ema: ShareBelowOne = 0.0
    """Decay of an exponential average of the trained weights that is saved instead; 0: none."""
    neftune_alpha: NotNegative = 0.0
    """Uniform noise on the embeddings (Jain et al. 2023); 5 is usual, 0 is none."""

    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Arithmetic of the forward pass; auto: bf16 where the device computes it, else fp32."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third slower."""
    compile: bool = False
    """Compile the decoder layers with torch.compile."""
    deterministic: bool = False
    """Bit-exact kernels on the GPU, so that resuming changes not one bit."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto: on the GPU where there is one."""
    seed: CountOrZero = 0
    """Everything random in the run follows from it."""

    eval_every: CountOrZero = 0
    """Steps between evaluations; 0: at the end of each epoch."""
    patience: CountOrZero = 0
    """Stop after this many evaluations without a better loss; 0: never."""
    save_every: CountOrZero = 0
    """Steps between checkpoints; 0: ten over the run."""
    keep: Count = 1
    """Checkpoints kept; the best by evaluation loss is kept besides."""
    track: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    """Where the figures also go. Nothing leaves the machine unless asked for."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.model:
            raise SettingError(("model",), "must not be empty")
        _check_adapter(self)

    @property
    def quantisation(self) -> Literal["none", "nf4", "int8"]:
        """How frozen weights are kept; of qlora always nf4."""
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
