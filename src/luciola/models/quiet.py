"""Keeping transformers' bars and advice off the screen while something is loaded."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*, downloads: bool = False) -> Iterator[None]:
    """Within it transformers, peft and the hub client show errors only, and no progress bars.

    Args:
        downloads: keep the hub client's bars, because a download may take minutes.
    """
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging as chatter

    names = ("transformers", "huggingface_hub", "peft")
    levels = {name: logging.getLogger(name).level for name in names}
    had_bars, had_hub_bars = chatter.is_progress_bar_enabled(), not are_progress_bars_disabled()
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    chatter.disable_progress_bar()  # the hub client's too
    if downloads and had_hub_bars:
        enable_progress_bars()
    try:
        with warnings.catch_warnings():
            # peft 0.21 reads a transformers attribute that transformers 5.23 deprecates.
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if had_bars:
            chatter.enable_progress_bar()
        elif had_hub_bars:
            enable_progress_bars()
