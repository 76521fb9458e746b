"""Encrypting what must not be read from a stolen database: AES-256-GCM, bound to the place where it is kept."""

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scaiflow_api.kit.errors import AppError

_FORMAT: Final = b"\x01"
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_FORMAT) + _ID_BYTES + _NONCE_BYTES


class SecretUnreadable(AppError):
    """It was encrypted with a key that this process was not given, or is not what was once written."""

    status, error = 503, "secret_unreadable"
    template = "A kept secret cannot be read with the keys that the server has."
    fix = (
        "The operator adds the earlier key to SCAIFLOW_SECRETS_KEY, or an administrator sets the secret anew."
    )


class Sealer:
    """Encrypts with the first key, of 32 bytes, and decrypts with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_id_of(key): AESGCM(key) for key in keys}
        self._first = _id_of(keys[0])

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return the text encrypted; only the same `place` opens it."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + self._first + nonce + self._ciphers[self._first].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return the plain text. Raises SecretUnreadable."""
        head, encrypted = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        cipher = self._ciphers.get(head[1 : 1 + _ID_BYTES])
        if head[:1] != _FORMAT or len(head) < _HEAD_BYTES or cipher is None:
            raise SecretUnreadable
        try:
            return cipher.decrypt(head[-_NONCE_BYTES:], encrypted, place)
        except InvalidTag:
            raise SecretUnreadable from None


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"scaiflow key id" + key).digest()[:_ID_BYTES]
