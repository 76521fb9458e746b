"""Verification of ScaiKey's access tokens.

This is the only module that touches python-jose. The library accepts too much by itself (algorithms of the
token's own choice, missing claims, any key of a set, unknown `crit`), so the header is judged here first, one
key is chosen by its `kid`, and that key's algorithm is the only one allowed.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from cachetools import TTLCache
from jose import jwk, jwt
from jose.exceptions import ExpiredSignatureError, JOSEError

from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.kit.clock import Clock

ALGORITHMS = frozenset({"RS256", "ES256"})
LEEWAY_S = 30
_FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c"})
_MAX_LENGTH = 16_384
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:@-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class SigningKey:
    """A public key that ScaiKey publishes."""

    kid: str
    algorithm: str
    jwk: Mapping[str, Any]

    @cached_property
    def verifier(self) -> Any:
        """The key in the form the library wants, built once."""
        return jwk.construct(dict(self.jwk), self.algorithm)


class KeySource(Protocol):
    """Where public keys come from."""

    async def find(self, kid: str) -> SigningKey | None:
        """Return the key of that id; None: the provider does not know it. Raises AppError when it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    subject: str
    tenant_id: str
    expires_at: int
    scopes: frozenset[str]
    permissions: frozenset[str]
    groups: frozenset[str]
    email: str | None
    display_name: str | None


class TokenVerifier:
    """Checks access tokens of one issuer. Only signatures are cached, never what a principal may do."""

    def __init__(self, *, base_url: str, audiences: Sequence[str], keys: KeySource, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._audiences = frozenset(audiences)
        self._keys = keys
        self._clock = clock
        self._verified: TTLCache[bytes, Claims] = TTLCache(maxsize=4096, ttl=300)

    async def verify(self, token: str) -> Claims:
        """Return the token's claims. Raises InvalidToken, or the key source's error."""
        if len(token) > _MAX_LENGTH:
            raise InvalidToken("too long")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._verified.get(digest)
        if claims is None:
            kid, algorithm = _judge_header(token)
            key = await self._keys.find(kid)
            if key is None:
                raise InvalidToken("signed by a key that ScaiKey does not publish")
            if key.algorithm != algorithm:
                raise InvalidToken("its algorithm is not that of its key")
            raw = _decode(token, key)
            if self._clock.now().timestamp() < _not_before(raw) - LEEWAY_S:
                raise InvalidToken("it is not valid yet")
            claims = self._read(raw)
            self._verified[digest] = claims
        if self._clock.now().timestamp() > claims.expires_at + LEEWAY_S:
            raise InvalidToken("Signature has expired")
        return claims

    def _read(self, raw: Mapping[str, Any]) -> Claims:
        audience = raw["aud"] if isinstance(raw.get("aud"), list) else [raw.get("aud")]
        if not self._audiences.intersection(a for a in audience if isinstance(a, str)):
            raise InvalidToken("Audience doesn't match")
        tenant_id = raw.get("tenant_id")
        if not isinstance(tenant_id, str) or not _IDENTIFIER.fullmatch(tenant_id):
            raise InvalidToken("it names no tenant")
        if raw["iss"] not in (self._base_url, f"{self._base_url}/tenants/{tenant_id}"):
            raise InvalidToken("Issuer doesn't match")
        if not isinstance(raw["scope"], str) or not _IDENTIFIER.fullmatch(raw["sub"]):
            raise InvalidToken("'sub' or 'scope' is malformed")
        return Claims(
            subject=raw["sub"],
            tenant_id=tenant_id,
            expires_at=int(raw["exp"]),
            scopes=frozenset(raw["scope"].split()),
            permissions=_strings(raw.get("permissions")),
            groups=_strings(raw.get("groups")),
            email=_text(raw.get("email")),
            display_name=_text(raw.get("name")),
        )


def _judge_header(token: str) -> tuple[str, str]:
    """Return key id and algorithm, having refused every header that lets a token choose how it is checked."""
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("not a JWT")
    header, _ = _object(parts[0]), _object(parts[1])
    if header.get("alg") not in ALGORITHMS:
        raise InvalidToken("its algorithm is not allowed")
    if _FORBIDDEN_HEADERS.intersection(header):
        raise InvalidToken("its header is not allowed")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:
        raise InvalidToken("it names no key")
    return kid, header["alg"]


def _object(encoded: str) -> dict[str, Any]:
    """Return a part of a token. Of a member that is given twice every reader believes another one: none is taken."""
    try:
        found = json.loads(
            urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)),
            object_pairs_hook=_unique,
            parse_constant=_no_number,
        )
    except _Twice:
        raise InvalidToken("a member of it is given twice") from None
    except (ValueError, RecursionError):
        raise InvalidToken("not a JWT") from None
    if not isinstance(found, dict):
        raise InvalidToken("not a JWT")
    return found


class _Twice(Exception):
    """A member is given twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _no_number(_: str) -> Any:
    raise ValueError("JSON knows no NaN and no Infinity")


def _not_before(claims: Mapping[str, Any]) -> float:
    moment = claims.get("nbf", 0)
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise InvalidToken("'nbf' is malformed")
    return moment


def _decode(token: str, key: SigningKey) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.verifier,
            algorithms=[key.algorithm],
            options={
                "verify_aud": False,  # judged in `_read`: a token may carry several, and we accept several
                "verify_at_hash": False,
                "verify_nbf": False,  # judged in `verify`, by our clock
                "require_iss": True,
                "require_exp": True,
                "require_iat": True,
                "require_sub": True,
                "leeway": LEEWAY_S,
            },
        )
    except ExpiredSignatureError:
        raise InvalidToken("Signature has expired") from None
    except (JOSEError, ValueError, OverflowError, RecursionError):
        raise InvalidToken("Signature verification failed") from None
    if "scope" not in claims:
        raise InvalidToken("it is no access token: 'scope' is missing")
    return claims


def _strings(value: object) -> frozenset[str]:
    return frozenset(v for v in value if isinstance(v, str)) if isinstance(value, list) else frozenset()


def _text(value: object) -> str | None:
    return value[:320] if isinstance(value, str) else None
