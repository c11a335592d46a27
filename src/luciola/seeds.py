"""Randomness by address: a seed is a hash of where it is used, so there is nothing to save or
restore.
"""

from __future__ import annotations

from hashlib import blake2b


def seed(*address: str | int) -> int:
    """A 63-bit seed from an address such as (run seed, "dropout", step, micro-batch).

    Equal addresses give equal seeds on every machine and Python version; different ones are
    independent for all practical purposes. Source: BLAKE2b (RFC 7693) over the parts, each with its
    type and length.
    """
    digest = blake2b(digest_size=8)
    for part in address:
        kind = b"s" if isinstance(part, str) else b"i"
        text = str(part).encode()
        digest.update(kind + len(text).to_bytes(4, "big") + text)
    return int.from_bytes(digest.digest(), "big") >> 1
