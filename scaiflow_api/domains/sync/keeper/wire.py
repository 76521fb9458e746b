"""How the API's process and the keeper's talk: MessagePack behind four bytes of length."""

import struct
from typing import Any, Final

import ormsgpack

HEAD: Final = struct.Struct("!I")
AT_WORK: Final = HEAD.pack(0)
"""What a helper says once, before its first answer."""

ANSWERED: Final = 0
FAILED: Final = 1
UNKNOWN_DRAFT: Final = "unknown draft"


def packed(message: Any) -> bytes:
    """Return a message as it goes through the pipe."""
    body = ormsgpack.packb(message)
    return HEAD.pack(len(body)) + body


def unpacked(body: bytes) -> Any:
    """Return a message without its length."""
    return ormsgpack.unpackb(body)
