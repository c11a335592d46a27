"""Records greedy and contrastive search of transformers: python make_searches.py

Recorded with transformers 4.46.3, which has contrastive search, torch 2.13.0,
Python 3.11, CPU: pip install torch==2.13.0 transformers==4.46.3
"""

from __future__ import annotations

import torch
from recording import drawn, plain, save
from transformers import GPT2Config, GPT2LMHeadModel


def main() -> None:
    """A GPT-2 of two layers with weights of ours; three searches of transformers."""
    config = {
        "n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 13, "n_positions": 24,
        "bos_token_id": 1, "eos_token_id": 12, "pad_token_id": 0,
    }  # fmt: skip
    model = GPT2LMHeadModel(GPT2Config(**config)).eval()
    state = {
        name: drawn(200 + i, *value.shape, scale=0.5).float() + float("ln" in name)
        for i, (name, value) in enumerate(sorted(model.state_dict().items()))
        if name != "lm_head.weight"
    }  # fmt: skip
    model.load_state_dict(state, strict=False)
    save("rl/tiny_gpt2", {"config": config, "state_dict": plain(state)})
    prompt, runs = torch.tensor([[3, 7, 5]]), {}
    for name, settings in {
        "greedy": {"do_sample": False},
        "contrastive_a0.6_k4": {"penalty_alpha": 0.6, "top_k": 4},
        "contrastive_a0.3_k6": {"penalty_alpha": 0.3, "top_k": 6},
    }.items():
        out = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, pad_token_id=0,
            eos_token_id=12, **settings,
        )  # fmt: skip
        runs[name] = {"kw": settings, "out": out}
    save("rl/decoding", {
        "prompt": prompt, "max_new_tokens": 12, "eos_token_id": 12, "pad_token_id": 0, "runs": runs
    })  # fmt: skip


if __name__ == "__main__":
    main()
