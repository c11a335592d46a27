"""The families that do not do everything, with the stage where they stop and the reason.

`test_families.py` fails where one of these gets further, and where another stops. The page about
models is written from this table.
"""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """Where a family stops, and why.

    Args:
        stage: one of `stages.STAGES`.
        reason: for the page about models, a clause.
    """

    stage: str
    reason: str


def pictures(text: str) -> Limit:
    """A family of pictures or sound, whose text part is a family of its own here, or is not."""
    return Limit("build", f"not tried: made for pictures or sound as well; {text}")


MIXED = "its configuration has no size that suits two layers"

LIMITS: dict[str, Limit] = {
    "blt": Limit("build", "not tried: works on bytes, with a second model that cuts them"),
    "cpmant": Limit("load", "its tokens see later ones, by the prompt it puts before each row"),
    "dots3_note": Limit("build", f"not tried: {MIXED}"),
    "dots3_note_text": Limit("build", f"not tried: {MIXED}"),
    "emu3": Limit("load", "its text part, saved alone, is not a model that transformers loads"),
    "fuyu": pictures("its text part is persimmon"),
    "gemma3": pictures("its text part is gemma3_text"),
    "gemma3n": pictures("its text part is gemma3n_text"),
    "gemma4_assistant": Limit("build", "not tried: drafts for another model, whose cache it reads"),
    "gemma4_unified": pictures("its text part is gemma4_unified_text"),
    "gemma4_unified_assistant": Limit(
        "build", "not tried: drafts for another model, whose cache it reads"
    ),
    "got_ocr2": pictures("its text part is qwen2"),
    "mllama": Limit("load", "its text part, saved alone, is not a model that transformers loads"),
    "moss_transcribe_diarize": pictures("its text part is qwen3"),
    "musicgen": Limit("build", "not tried: its tokens are sound, several at each step"),
    "musicgen_melody": Limit("build", "not tried: its tokens are sound, several at each step"),
    "phi4_multimodal": pictures("its text part is phi3"),
    "prophetnet": Limit("padding", "predicts several tokens at once, and padding changes them"),
    "qwen4_exp": Limit("build", f"not tried: {MIXED}"),
    "qwen4_exp_text": Limit("build", f"not tried: {MIXED}"),
    "reformer": Limit("build", "its hashed attention rounds lengths to whole chunks"),
    "xlm": Limit("padding", "refuses a mask for a batch whose longest row is not full"),
    "xlnet": Limit("load", "its tokens see later ones, unless it is given their permutation"),
    "xlstm": Limit("generate", "its own cache keeps states of one row only"),
    "zamba": Limit("build", "not tried: the layers it shares need more than two of each kind"),
}
