"""Records how TRL packs sequences: python make_packing.py

Recorded with trl 1.16.0, torch 2.13.0, Python 3.11: pip install torch==2.13.0 trl==1.16.0
"""

from __future__ import annotations

from datasets import Dataset
from recording import save
from trl import pack_dataset

LENGTHS = (4, 9, 2, 8, 1, 13, 3, 3, 5)


def main() -> None:
    ids = [[100 * i + j for j in range(length)] for i, length in enumerate(LENGTHS, 1)]
    labels = [[-100 if j < len(row) // 3 else token for j, token in enumerate(row)] for row in ids]
    results = {}
    for strategy in ("bfd", "bfd_split", "wrapped"):
        packed = pack_dataset(Dataset.from_dict({"input_ids": ids, "labels": labels}), 8, strategy)
        results[f"{strategy}_8"] = packed.to_dict()
    save("rl/packing_trl", {"input_ids": ids, "labels": labels, "results": results})


if __name__ == "__main__":
    main()
