"""Messages between the sandbox and its workers: a length, then JSON.

JSON and not pickle: what comes back was computed by hostile SQL, and loading a pickle runs code.
Bytes travel as {"hex": ...}; a tuple arrives as a list.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

HEADER = struct.Struct("<Q")


def encode(message: Any) -> bytes:
    """`message` with its length before it. Raises: ValueError for what JSON does not hold."""
    text = json.dumps(message, default=_hex, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", "surrogatepass")
    return HEADER.pack(len(body)) + body


def decode(body: bytes | bytearray) -> Any:
    """The message whose JSON is `body`."""
    return json.loads(body, object_hook=_unhex)


def receive(stream: BinaryIO) -> Any | None:
    """The next message of a blocking stream, or None at its end."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    return decode(stream.read(size))


def _hex(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise ValueError(f"{type(value).__name__} cannot be sent")


def _unhex(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value
