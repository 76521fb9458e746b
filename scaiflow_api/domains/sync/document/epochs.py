"""Epochs: each history of a draft has an id of its own, which its seed's client id repeats on the wire."""

import hashlib
from typing import Final

FIRST_EPOCH_CLIENT: Final = 2**32
"""Client ids from here on are the server's: those of Yjs have 32 bits."""
_MAX_VAR_UINT_BYTES: Final = 9


def epoch_client_id(epoch: str) -> int:
    """Return the Yjs client id of all that the server itself writes into an epoch: 2³² + a 48-bit hash."""
    digest = hashlib.sha256(epoch.encode()).digest()
    return FIRST_EPOCH_CLIENT + int.from_bytes(digest[:6], "big")


def epochs_in(state_vector: bytes) -> frozenset[int]:
    """Return the epoch client ids that a state vector (format 1) names. Raises ValueError for what is none."""
    count, at = _var_uint(state_vector, 0)
    found = set()
    for _ in range(count):
        client, at = _var_uint(state_vector, at)
        _, at = _var_uint(state_vector, at)
        if client >= FIRST_EPOCH_CLIENT:
            found.add(client)
    if at != len(state_vector):
        raise ValueError("a state vector with more behind it")
    return frozenset(found)


def is_of_another_epoch(state_vector: bytes, epoch: str) -> bool:
    """Return whether a client's state belongs to another epoch: nothing may be exchanged. Raises ValueError."""
    return bool(epochs_in(state_vector) - {epoch_client_id(epoch)})


def _var_uint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for offset, byte in enumerate(data[at : at + _MAX_VAR_UINT_BYTES]):
        number |= (byte & 127) << (7 * offset)
        if byte < 128:
            return number, at + offset + 1
    raise ValueError("a number that does not end")
