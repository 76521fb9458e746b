"""Epochs: each history of a draft has an id of its own, which its seed's client id repeats on the wire."""

import hashlib
from typing import Final

FIRST_EPOCH_CLIENT: Final = 2**32
"""Client ids from here on are the server's: those of Yjs have 32 bits."""


def epoch_client_id(epoch: str) -> int:
    """Return the Yjs client id of all that the server itself writes into an epoch: 2³² + a 48-bit hash."""
    digest = hashlib.sha256(epoch.encode()).digest()
    return FIRST_EPOCH_CLIENT + int.from_bytes(digest[:6], "big")
