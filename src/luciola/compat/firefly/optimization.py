"""What is trained and how: adapters, batch, learning rate, optimizer, precision."""

from __future__ import annotations

from luciola.compat.firefly.page import Page

MODES = ("full", "lora", "qlora")
ADAMW = (
    "adamw_hf",
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_apex_fused",
    "paged_adamw",
    "paged_adamw_32bit",
)
ADAMW8BIT = ("adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit")
SCHEDULES = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant",
    "constant_with_warmup": "constant",
}


def optimization(page: Page) -> None:
    """All of it."""
    for part in (_adapter, _batch, _schedule, _optimizer, _precision):
        part(page)


def _adapter(page: Page) -> None:
    mode = page.choice("train_mode", "qlora", MODES)
    page.settings["adapter"] = mode
    if mode != "full":
        page.settings["lora"] = {
            "r": page.get("lora_rank", 64),
            "alpha": page.get("lora_alpha", 16),
            "dropout": page.get("lora_dropout", 0.05),
        }


def _batch(page: Page) -> None:
    """Examples per optimizer step, and as many steps as the file says; below 0: all epochs' steps.

    As in transformers max_steps goes beyond num_train_epochs too: an epoch has a step at least.
    """
    micro, steps = page.get("per_device_train_batch_size", 8), "gradient_accumulation_steps"
    page.settings["batch"] = micro * page.get(steps, 1) * page.processes
    most = max(0, page.get("max_steps", 0))
    page.settings["max_steps"] = most
    if most:
        page.settings["epochs"] = max(page.settings["epochs"], most)
        if "num_train_epochs" in page.values:
            page.notices.append(f"max_steps={most} counts, whatever num_train_epochs says")


def _schedule(page: Page) -> None:
    """As in transformers, steps of warm-up count for more than a ratio; `constant` has none."""
    name = page.choice("lr_scheduler_type", "linear", tuple(SCHEDULES))
    steps, ratio = page.get("warmup_steps", 0), page.get("warmup_ratio", 0)
    page.settings["schedule"] = SCHEDULES[name]
    page.settings["warmup"] = 0 if name == "constant" else steps or ratio
    if ratio:
        page.notices.append(f"warmup_ratio={ratio:g} is warmup={page.settings['warmup']:g} here")


def _optimizer(page: Page) -> None:
    name = page.choice("optim", "adamw_torch", (*ADAMW, *ADAMW8BIT))
    ours = "adamw8bit" if name in ADAMW8BIT else "adamw"
    page.settings["optimizer"] = ours
    page.settings["betas"] = [page.get("adam_beta1", 0.9), page.get("adam_beta2", 0.999)]
    if name == "adamw_hf" or name.startswith("paged"):
        why = "transformers no longer has it" if name == "adamw_hf" else "its states are not paged"
        page.notices.append(f"optim={name} is optimizer={ours} here: {why}")


def _precision(page: Page) -> None:
    fp16, bf16 = page.get("fp16", False), page.get("bf16", False)
    if fp16 == bf16:
        seen = "both are true" if fp16 else "neither is true"
        raise page.error(f"exactly one of fp16 and bf16 must be true, and {seen}")
    page.settings["precision"] = "bf16" if bf16 else "auto"
    if fp16:
        page.notices.append(
            "fp16 is trained in bf16 where the device computes it, else in fp32: neither needs a "
            "loss scale; for fp16 itself, on an older GPU, add precision=fp16"
        )
    if page.get("use_cpu", False) or page.get("no_cuda", False):
        page.settings["device"] = "cpu"
