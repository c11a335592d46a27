"""Records what Firefly's data classes give: python make_firefly.py FOLDER, a checkout of Firefly.

Recorded with yangjianxin1/Firefly e22b406 (October 2024), torch 2.13.0, Python 3.11 (needs loguru).
Its classes read conversations of ours with a tokenizer of one token per character.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

from recording import save

CONVERSATION = [
    {"human": " Name a river.\n", "assistant": "  The Loire. "},
    {"human": "\tAnother?", "assistant": "Émilie says: the Rhône!\n"},
    {"human": "Thanks {x}", "assistant": "Glad to help"},
]
SPECIAL = ("[gMASK]", "sop", "<|system|>", "<|user|>", "<|assistant|>", "</s>")
PAIR_TURNS = [
    {"role": "system", "content": " Answer in verse. "},
    {"role": "user", "content": "What is rain? "},
    {"role": "assistant", "content": "Water."},
    {"role": "user", "content": " And snow?"},
]


class Characters:
    """One token per character; special tokens have ids beyond Unicode."""

    eos_token, eos_token_id, pad_token_id = "</s>", 0x110000 + 5, 0x110000 + 99

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        return [ord(character) for character in text]

    def get_prefix_tokens(self) -> list[int]:
        return [self.get_command("[gMASK]"), self.get_command("sop")]

    def get_command(self, token: str) -> int:
        return 0x110000 + SPECIAL.index(token)


def text_of(ids: list[int]) -> str:
    """Special tokens in double brackets: ⟦gMASK⟧, ⟦SYSTEM⟧, ⟦EOS⟧."""
    names = ("gMASK", "sop", "SYSTEM", "USER", "ASSISTANT", "EOS")
    return "".join(chr(i) if i < 0x110000 else f"⟦{names[i - 0x110000]}⟧" for i in ids)


def rows_of(kind: Any, rows: list[dict[str, Any]], *settings: Any) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        data = kind(str(path), Characters(), *settings)
        return [data[i] for i in range(len(rows))]


def templates(dataset: Any, known: dict[str, Any]) -> None:
    """Default system messages are others' texts: their hash is kept, and only conversations with a
    system message of ours, or of templates without a default.
    """
    cases, facts = [], {}
    for name, template in known.items():
        kind = {
            "chatglm2": dataset.ChatGLM2SFTDataset, "chatglm3": dataset.ChatGLM3SFTDataset,
        }.get(name, dataset.UnifiedSFTDataset)  # fmt: skip
        default = template.system
        digest = default and hashlib.sha256(default.encode()).hexdigest()
        facts[name] = {"stop_word": template.stop_word, "system_sha256": digest}
        for system in ("  Be kind.\n", None):
            if system is None and default is not None:
                continue
            row = {"conversation": CONVERSATION} | ({} if system is None else {"system": system})
            found = rows_of(kind, [row], 10_000, template)[0]
            pairs = zip(found["target_mask"], found["input_ids"], strict=True)
            runs = groupby(pairs, key=lambda pair: pair[0])
            segments = [{"trained": t, "text": text_of([i for _, i in run])} for t, run in runs]
            cases.append({
                "template": name, "system": system, "text": text_of(found["input_ids"]),
                "segments": segments,
            })  # fmt: skip
    save("rl/sft_templates_firefly", {
        "conversation": CONVERSATION, "templates": facts, "cases": cases
    })  # fmt: skip


def collated(dataset: Any, collator: Any, template: Any) -> None:
    rows = [
        {"system": "S", "conversation": [{"human": "a", "assistant": "b"}]},
        {"system": "Be exact", "conversation": CONVERSATION[:2]},
    ]
    length = 150
    found = rows_of(dataset.UnifiedSFTDataset, rows, length, template)
    batch = collator.SFTDataCollator(Characters(), length)(found)
    save("rl/sft_collator_firefly", {
        "max_seq_length": length, "pad_token_id": Characters.pad_token_id, "template": "qwen",
        "rows": rows, **batch,
    })  # fmt: skip


def comparisons(dataset: Any, template: Any) -> None:
    record = {
        "prompt": "And snow?",
        "chosen": [*PAIR_TURNS, {"role": "assistant", "content": "Flowers of a winter sky"}],
        "rejected": [*PAIR_TURNS, {"role": "assistant", "content": "Frozen water"}],
    }  # fmt: skip
    cases = []
    for length, kept in ((1000, 300), (120, 30), (60, 50), (90, 10)):
        found = rows_of(dataset.UnifiedDPODataset, [record], length, kept, template)[0]
        prefix = len(found["prompt_input_ids"])
        cases.append({
            "max_seq_length": length, "max_prompt_length": kept,
            "prompt": text_of(found["prompt_input_ids"]),
            "chosen": text_of(found["chosen_input_ids"]),
            "rejected": text_of(found["rejected_input_ids"]),
            "chosen_labels_masked_prefix": prefix, "rejected_labels_masked_prefix": prefix,
        })  # fmt: skip
        assert found["chosen_labels"].count(-100) == prefix
    save("rl/dpo_firefly", {"record": record, "template": "qwen", "cases": cases})


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from component import collator, dataset
    from component.template import template_dict

    templates(dataset, template_dict)
    collated(dataset, collator, template_dict["qwen"])
    comparisons(dataset, template_dict["qwen"])


if __name__ == "__main__":
    main()
