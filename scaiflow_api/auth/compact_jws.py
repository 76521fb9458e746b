"""A token in its three encoded parts, read strictly: what two readers could take for two things is refused."""

import json
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from scaiflow_api.auth.errors import InvalidToken

ALGORITHMS = frozenset({"RS256", "ES256"})
_FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c"})
# Of the two alphabets of base64 only that of tokens is read; the other's letters become what no alphabet has.
_ALPHABET = bytes.maketrans(b"-_+/=\\", b"+/!!!!")
_PADDING = (b'"', b'!"', b'=="', b'="')
_BASE64 = msgspec.json.Decoder(bytes)
"""Reads base64 as strictly as is wanted, and in half the time of the standard library; from a JSON string."""


class Header(msgspec.Struct, frozen=True):
    """How a token says that it is signed."""

    kid: str
    algorithm: str


def take_apart(signed: bytes, signature: bytes) -> tuple[Header, dict[str, Any], bytes]:
    """Return header, claims and signature of a token, of what stands before its last dot and after it.

    Nothing is known of their truth. Raises InvalidToken for what is no token, and for every header that lets a token
    choose how it is checked.
    """
    header, dot, claims = signed.partition(b".")
    if not dot or b"." in claims:
        raise InvalidToken("not a JWT")
    judged, read = _judged(header), _object(claims)
    try:
        return judged, read, _decoded(signature)
    except ValueError:
        raise InvalidToken("Signature verification failed") from None


@lru_cache(maxsize=64)
def _judged(encoded: bytes) -> Header:
    """Judge a header. All tokens of one key have the same one."""
    header = _object(encoded)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken("its algorithm is not allowed")
    if _FORBIDDEN_HEADERS.intersection(header):
        raise InvalidToken("its header is not allowed")
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:
        raise InvalidToken("it names no key")
    return Header(kid, algorithm)


def _object(encoded: bytes) -> dict[str, Any]:
    try:
        text = _decoded(encoded)
        found = orjson.loads(text)
        # Signers write in one way. Written again it is the same only where no member was given twice.
        if orjson.dumps(found) != text:
            found = _STRICT.decode(text.decode())
    except _Twice:
        raise InvalidToken("a member of it is given twice") from None
    except (ValueError, RecursionError):
        raise InvalidToken("not a JWT") from None
    if not isinstance(found, dict):
        raise InvalidToken("not a JWT")
    return found


def _decoded(encoded: bytes) -> bytes:
    """Raises ValueError for what is not base64 of the alphabet for addresses, without padding."""
    return _BASE64.decode(b'"' + encoded.translate(_ALPHABET) + _PADDING[len(encoded) % 4])


class _Twice(Exception):
    """A member is given twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_unique)
