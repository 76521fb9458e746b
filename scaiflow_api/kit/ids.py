"""Server-made identifiers: a prefix that names the kind, then 60 random bits in base32."""

import secrets

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH = 12


def new_id(prefix: str) -> str:
    """Return `{prefix}_` and 12 random characters, for example `flow_k3v7q2mzp4xa`."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
